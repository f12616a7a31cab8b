import { FlotillaError, systemErrorCode } from '../../error.ts';
import { DoorError } from '../../door/index.ts';
import { isLogFull } from '../../eventlog/index.ts';

const fullRetryMs = 1_000;
/** What a program is told when the log does not take something; undefined for an error that is not for it. */
export function logRefusal(error: unknown): FlotillaError | undefined {
  if (!isLogFull(error)) return error instanceof FlotillaError ? error : undefined;
  return new DoorError('failed', 'eventlog-full', 'the log of this device takes no more events', {
    seen: error instanceof Error ? error.message : String(error),
    suggestion: 'try again later; what waits for the coordinator has to leave first',
    retryAfterMs: fullRetryMs,
    cause: error,
  });
}

export function isDatabaseError(error: unknown): boolean {
  return systemErrorCode(error) === 'ERR_SQLITE_ERROR';
}
