import { FlotillaError } from '../../error.ts';
import type { CoreState, StoredRelease } from '../core/core-state.ts';

const defaultChannel = 'stable';

export function findRelease(state: CoreState, name: string): StoredRelease {
  const release = state.releases.get(name) ?? state.releases.get(`${name}/${defaultChannel}`);
  if (release !== undefined) return release;
  throw new FlotillaError('usage', 'release-unknown', `there is no release ${name}`, {
    seen: name,
    expected: 'product/version/channel, or product/version for the channel stable',
    suggestion: 'flotilla release list',
  });
}
