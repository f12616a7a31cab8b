import { FlotillaError } from '../../error.ts';
import type { CoreState, StoredRelease } from '../core/core-state.ts';

const defaultChannel = 'stable';
/** `meta-product` of what `flotilla agent bundle` builds. */
const agentProduct = 'flotilla-agent';

export function findRelease(state: CoreState, name: string): StoredRelease {
  const release = state.releases.get(name) ?? state.releases.get(`${name}/${defaultChannel}`);
  if (release !== undefined) return release;
  throw new FlotillaError('usage', 'release-unknown', `there is no release ${name}`, {
    seen: name,
    expected: 'product/version/channel, or product/version for the channel stable',
    suggestion: 'flotilla release list',
  });
}

/** @throws FlotillaError for a release that no device could start from */
export function findFirmware(state: CoreState, name: string): StoredRelease {
  const stored = findRelease(state, name);
  if (stored.release.product !== agentProduct) return stored;
  throw new FlotillaError('usage', 'release-agent', `release ${stored.release.id} is an agent, and no firmware`, {
    seen: `product ${stored.release.product}`,
    expected: 'a release of firmware',
    suggestion: `a policy with action: { kind: agent-update, release: ${stored.release.id} }`,
  });
}

export function findAgent(state: CoreState, name: string): StoredRelease {
  const stored = findRelease(state, name);
  if (stored.release.product === agentProduct) return stored;
  throw new FlotillaError('usage', 'release-no-agent', `release ${stored.release.id} is no agent`, {
    seen: `product ${stored.release.product}`,
    expected: `a release of ${agentProduct}`,
    suggestion: 'flotilla agent bundle makes one, flotilla release publish puts it here',
  });
}
