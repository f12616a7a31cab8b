import { FlotillaError, systemErrorCode } from '../../error.ts';

/** Why a gateway can't start, as the core tells it on. */
export function asStartFailure(error: unknown): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const code = systemErrorCode(error) ?? 'unknown';
  const message = `a gateway can't start: ${error instanceof Error ? error.message : code}`;
  return new FlotillaError('failed', 'gateway-start', message, { seen: code });
}
