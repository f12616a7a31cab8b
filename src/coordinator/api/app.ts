import type { IncomingMessage, Server } from 'node:http';
import { finished } from 'node:stream/promises';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { RateLimited } from '../operator/rate-limit.ts';
import type { ServiceContext } from '../service/context.ts';
import { asApiError, statusOf } from './error-reply.ts';
import { noteRefusal } from './note-refusal.ts';
import { guard, registerRoutes, type Authenticate } from './register-route.ts';
import { routes } from './route-list.ts';
import { createValidator, type Part } from './validate.ts';

const maxBodyBytes = 1024 * 1024;

export interface AppOption {
  context: ServiceContext;
  authenticate: Authenticate;
  /** Ends every stream. */
  closing: AbortSignal;
  log: Log;
  /** Makes the server that hands requests to `handler`; plain HTTP when left out. */
  createServer?: (handler: (request: IncomingMessage, response: never) => void) => Server;
}

/** Every route of the list, behind one guard. Deny by default: what is not in route-list.ts does not exist. */
export function createApp({ context, authenticate, closing, log, createServer }: AppOption): FastifyInstance {
  const app: FastifyInstance = fastify({
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1024 },
    requestTimeout: 0, // a bundle may take its time
    ...(createServer === undefined ? {} : { serverFactory: createServer }),
  });
  app.setValidatorCompiler(({ schema, httpPart }) => createValidator(schema as never, httpPart as Part));
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = asApiError(thrown);
    noteRefusal(context, request, error);
    if (error.fault === 'ours') log.error({ err: thrown, route: request.url.split('?')[0] }, 'a request failed');
    if (thrown instanceof RateLimited) reply.header('retry-after', thrown.retryAfterSeconds);
    if (request.admitted && request.method === 'PUT') await drain(request.raw);
    if (!request.admitted) reply.header('connection', 'close'); // its body was not read, and will not be
    return reply.status(statusOf(error)).send({ error: error.toJSON() });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new FlotillaError('usage', 'api-route-unknown', 'the coordinator has no such route', {
      seen: `${request.method} ${request.url.split('?')[0]}`,
      suggestion: 'use the flotilla command of the same version as the coordinator',
    });
    return reply.status(404).send({ error: error.toJSON() });
  });
  guard(app, authenticate);
  askBeforeBody(app);
  registerRoutes(app, routes, context, closing);
  return app;
}

/** `Expect: 100-continue`: the body is asked for once it is known that its sender may send it. */
function askBeforeBody(app: FastifyInstance): void {
  app.server.on('checkContinue', (request, response) => void app.server.emit('request', request, response));
  app.addHook('preParsing', async (request: FastifyRequest, reply: FastifyReply) => {
    request.admitted = true;
    if (request.headers.expect !== undefined) reply.raw.writeContinue();
  });
}

/** Reads what is left of a refused upload: a client that is still writing would get a broken pipe, not the answer. */
async function drain(body: IncomingMessage): Promise<void> {
  if (body.readableEnded || body.destroyed) return;
  body.resume();
  await finished(body).catch(() => undefined);
}
