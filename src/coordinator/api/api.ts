import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { fastify, type FastifyInstance } from 'fastify';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { ServiceContext } from '../service/context.ts';
import { asApiError, statusOf } from './error-reply.ts';
import { noteRefusal } from './note-refusal.ts';
import { guard, registerRoutes } from './register-route.ts';
import { routes } from './route-list.ts';
import { closeToOthers, prepareSocket } from './socket.ts';
import { createValidator, type Part } from './validate.ts';

const maxBodyBytes = 1024 * 1024;

export interface Api {
  /** Ends every stream, answers what is under way, removes the socket. */
  close(): Promise<void>;
}

/** Reads what is left of a refused upload: a client that is still writing would get a broken pipe, not the answer. */
async function drain(body: IncomingMessage): Promise<void> {
  if (body.readableEnded || body.destroyed) return;
  body.resume();
  await finished(body).catch(() => undefined);
}

/** The API on a unix socket of mode 0600. Deny by default: what is not in route-list.ts does not exist. */
export async function startApi(context: ServiceContext, socketPath: string, log: Log): Promise<Api> {
  await prepareSocket(socketPath);
  const closing = new AbortController();
  const app: FastifyInstance = fastify({
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1024 },
    requestTimeout: 0, // a bundle may take its time
  });
  const { actor, role, from } = context;
  guard(app, () => ({ actor, role, from }));
  app.setValidatorCompiler(({ schema, httpPart }) => createValidator(schema as never, httpPart as Part));
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = asApiError(thrown);
    noteRefusal(context, request, error);
    if (error.fault === 'ours') log.error({ err: thrown, route: request.url.split('?')[0] }, 'a request failed');
    if (request.method === 'PUT') await drain(request.raw);
    return reply.status(statusOf(error)).send({ error: error.toJSON() });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new FlotillaError('usage', 'api-route-unknown', 'the coordinator has no such route', {
      seen: `${request.method} ${request.url.split('?')[0]}`,
      suggestion: 'use the flotilla command of the same version as the coordinator',
    });
    return reply.status(404).send({ error: error.toJSON() });
  });
  registerRoutes(app, routes, context, closing.signal);

  const before = process.umask(0o177); // the socket is never open to others, not for an instant
  try {
    await app.listen({ path: socketPath });
  } finally {
    process.umask(before);
  }
  await closeToOthers(socketPath);
  return {
    async close() {
      closing.abort();
      await app.close();
    },
  };
}
