import type { FastifyRequest } from 'fastify';
import type { FlotillaError } from '../../error.ts';
import type { ServiceContext } from '../service/context.ts';

/**
 * An attempt to change something that came to nothing, and every attempt of somebody who may not, goes into the audit
 * log. A read that failed does not: it is no attempt on anything.
 */
export function noteRefusal({ refusals }: ServiceContext, request: FastifyRequest, error: FlotillaError): void {
  const { url: path, config } = request.routeOptions;
  const isForbidden = error.fault === 'forbidden';
  const isChange = config.right !== undefined && config.right !== 'read';
  if (!isForbidden && !isChange) return;
  const { caller } = request;
  const actor = caller ?? { actor: 'nobody', role: '', from: request.ip || 'unix' };
  refusals.note({
    ...actor,
    action: path === undefined ? 'unknown route' : `${request.method} ${path}`,
    subject: subjectOf(request),
    result: isForbidden ? 'forbidden' : error.fault === 'ours' || error.fault === 'failed' ? 'failed' : 'refused',
    code: error.code,
    message: error.message,
  });
}

/** What stands in the path; a body may not be there yet, and is not repeated. */
function subjectOf({ params }: FastifyRequest): string {
  const values = typeof params === 'object' && params !== null ? Object.values(params) : [];
  return values.map(String).join(' ').slice(0, 256);
}
