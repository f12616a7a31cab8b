import { FlotillaError, systemErrorCode } from '../../error.ts';

/** Why a gateway could not start, as one sentence. */
export function startError(error: unknown): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const code = systemErrorCode(error) ?? 'unknown';
  const message = error instanceof Error ? error.message : code;
  return new FlotillaError('failed', 'gateway-start', `a gateway can't start: ${message}`, { seen: code });
}
