import { FlotillaError } from '../../error.ts';

/** A patch that can not be applied: broken, of a kind that devices do not take, or made for another source. */
export function patchError(message: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-delta-failed', `the delta can not be applied: ${message}`, {
    suggestion: 'use the full bundle, or a delta made from what this device runs',
    fwup: `xdelta3 error: ${message}`,
  });
}
