import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorize, type Caller } from '../operator/caller.ts';
import type { ServiceContext } from '../service/context.ts';
import type { Answer, Asked, Route } from './route.ts';
import { sendRows } from './send-rows.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route needs of its caller. */
    right?: string;
  }
  interface FastifyRequest {
    /** Set before anything else happens to a request. */
    caller: Caller | undefined;
    /** Aborts when what proves the caller ends. */
    ended: AbortSignal | undefined;
    /** The caller may do this: the body is read. */
    admitted: boolean;
  }
}

export interface Authenticated {
  caller: Caller;
  ended?: AbortSignal;
}

/** What the API knows of the peer of a request. Throws FlotillaError where it is nobody, or asks for too much. */
export type Authenticate = (request: FastifyRequest) => Authenticated | Promise<Authenticated>;

/**
 * Who asks, and whether they may: before the body is read, for every request that comes, also for one that no route
 * takes. A route without a decision lets nobody in.
 */
export function guard(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('caller', undefined);
  app.decorateRequest('ended', undefined);
  app.decorateRequest('admitted', false);
  app.addHook('onRequest', async (request) => {
    const { caller, ended } = await authenticate(request);
    request.caller = caller;
    request.ended = ended;
    if (!request.is404) authorize(request.caller, request.routeOptions.config.right);
  });
}

/** Adds each route of the list; call `guard` first. */
export function registerRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  context: ServiceContext,
  closing: AbortSignal,
): void {
  for (const { method, path, right, params, query, body, maxBodyBytes, answer } of routes) {
    app.route({
      method,
      url: path,
      config: { right },
      schema: { params, querystring: query, ...(body === undefined ? {} : { body }) },
      ...(maxBodyBytes === undefined ? {} : { bodyLimit: maxBodyBytes }),
      handler: handlerOf(answer, context, closing),
    });
  }
}

function handlerOf(answer: Answer, context: ServiceContext, closing: AbortSignal) {
  switch (answer.kind) {
    case 'document':
    case 'upload':
      return (request: FastifyRequest) => answer.run(callerContext(context, request), askedOf(request));
    case 'bytes':
      return async (request: FastifyRequest, reply: Parameters<typeof sendRows>[1]) => {
        const bytes = await answer.run(callerContext(context, request), askedOf(request));
        return reply.type(answer.contentType).send(Buffer.from(bytes));
      };
    case 'rows':
      return (request: FastifyRequest, reply: Parameters<typeof sendRows>[1]) =>
        sendRows(request, reply, closing, (signal) =>
          answer.run(callerContext(context, request), askedOf(request), signal),
        );
  }
}

/** The services' context as this caller has it. */
function callerContext(context: ServiceContext, { caller }: FastifyRequest): ServiceContext {
  return { ...context, ...caller! };
}

function askedOf({ params, query, body }: FastifyRequest): Asked {
  return { params: params as Asked['params'], query: query as Asked['query'], body };
}
