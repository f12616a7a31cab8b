import type { FastifyError } from 'fastify';
import { FlotillaError, systemErrorCode, type Fault } from '../../error.ts';

const statusByFault: Record<Fault, number> = {
  usage: 400,
  'none-matched': 422,
  refused: 409,
  unreachable: 502,
  forbidden: 403,
  failed: 422,
  undecided: 504,
  ours: 500,
};

/** The HTTP status of an error; the exit code of the caller comes from its `fault`. */
export function statusOf({ fault, code }: FlotillaError): number {
  if (code === 'disk-full') return 507;
  if (code === 'rate-limited' || code === 'too-many-connections') return 429;
  if (code === 'token-refused') return 401;
  if (code === 'operator-revoked') return 403;
  if (code.endsWith('-unknown')) return 404;
  return statusByFault[fault];
}

/** Anything that was thrown, as an error that may be shown: nothing of our insides but a message. */
export function asApiError(error: unknown): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const status = (error as Partial<FastifyError>).statusCode;
  const message = error instanceof Error ? error.message : String(error);
  if (status !== undefined && status >= 400 && status < 500) {
    return new FlotillaError('usage', 'api-request-malformed', 'the request is not what this route takes', {
      seen: message,
      cause: error,
    });
  }
  if (systemErrorCode(error) === 'ENOSPC') {
    return new FlotillaError('failed', 'disk-full', 'the disk of the coordinator is full', {
      suggestion: 'free some space and try again; nothing was changed',
      cause: error,
    });
  }
  return new FlotillaError('ours', 'internal', message, { cause: error });
}
