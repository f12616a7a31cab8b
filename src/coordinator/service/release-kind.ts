import { FlotillaError } from '../../error.ts';
import type { StoredRelease } from '../core/core-state.ts';

/** `meta-product` of what `flotilla agent bundle` builds; everything else is firmware. */
const agentProduct = 'flotilla-agent';

/** @throws for a release that takes no agent's place */
export function requireAgent(stored: StoredRelease): StoredRelease {
  const { id, product } = stored.release;
  if (product === agentProduct) return stored;
  throw new FlotillaError('usage', 'release-no-agent', `release ${id} is no agent`, {
    seen: `product ${product}`,
    expected: `a release of ${agentProduct}`,
    suggestion: 'flotilla agent bundle makes one, flotilla release publish puts it here',
  });
}

/** @throws for a release that no device writes to a slot */
export function requireFirmware(stored: StoredRelease): StoredRelease {
  const { id, product } = stored.release;
  if (product !== agentProduct) return stored;
  throw new FlotillaError('usage', 'release-no-firmware', `release ${id} is an agent, and no firmware`, {
    seen: `product ${product}`,
    suggestion: `flotilla device update-agent SELECTOR ${id}, or a policy with action: { kind: agent-update, release: ${id} }`,
  });
}
