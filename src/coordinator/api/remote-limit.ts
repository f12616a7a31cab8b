import type { CoordinatorConfig } from '../../config/index.ts';
import { RateLimiter } from '../operator/rate-limit.ts';

/** In requests. A handshake is work before anything is known of the peer; a failure to prove itself is worth a pause. */
export const cost = { request: 1, handshake: 5, failure: 50 } as const;

/** Both listeners share them. */
export interface RemoteLimits {
  caller: RateLimiter;
  address: RateLimiter;
}

export function createLimits({ limits }: CoordinatorConfig['api']): RemoteLimits {
  const { callerPerSecond, callerBurst, addressPerSecond, addressBurst } = limits;
  return {
    caller: new RateLimiter({ perSecond: callerPerSecond, burst: callerBurst }),
    address: new RateLimiter({ perSecond: addressPerSecond, burst: addressBurst }),
  };
}
