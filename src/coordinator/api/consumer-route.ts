import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import {
  AckSchema,
  consumerNamePattern,
  eventFilterFields,
  ResetSchema,
  SettleRequestSchema,
  type ConsumerQuery,
  type SettleRequest,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { sendRows } from './send-rows.ts';

const { selector, type, key, lane } = eventFilterFields;
const Name = Type.Object({ name: Type.String({ pattern: consumerNamePattern }) });
const ConsumerQuerySchema = Type.Object({
  selector,
  type,
  key,
  lane,
  session: Type.String({ minLength: 1, maxLength: 64 }),
  from: Type.Optional(Type.Integer({ minimum: 1 })),
  once: Type.Optional(Type.Boolean()),
  inFlight: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  version: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  backoff: Type.Optional(Type.String({ pattern: '^[0-9]+(,[0-9]+)*$', maxLength: 256 })),
});

interface Named {
  Params: { name: string };
}

export function addConsumerRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  app.get('/v1/consumers', { schema: { querystring: Type.Object({}) } }, () => service.listConsumers(context));
  app.delete<Named>('/v1/consumers/:name', { schema: { params: Name } }, ({ params }) =>
    service.removeConsumer(context, params.name),
  );
  const stream = { schema: { params: Name, querystring: ConsumerQuerySchema } };
  app.get<Named & { Querystring: ConsumerQuery }>('/v1/consumers/:name/stream', stream, (request, reply) => {
    const { params, query } = request;
    return sendRows(request, reply, closing, (signal) => service.streamConsumer(context, params.name, query, signal));
  });
  app.get<Named & { Querystring: ConsumerQuery }>('/v1/consumers/:name/handle', stream, (request, reply) => {
    const { params, query } = request;
    return sendRows(request, reply, closing, (signal) => service.streamHandler(context, params.name, query, signal));
  });
  app.post<Named & { Body: { offset: number } }>(
    '/v1/consumers/:name/ack',
    { schema: { params: Name, body: AckSchema } },
    ({ params, body }) => service.acknowledge(context, params.name, body.offset),
  );
  app.post<Named & { Body: SettleRequest }>(
    '/v1/consumers/:name/settle',
    { schema: { params: Name, body: SettleRequestSchema } },
    ({ params, body }) => service.settleRows(context, params.name, body),
  );
  app.post<Named & { Body: { offset: number } }>(
    '/v1/consumers/:name/reset',
    { schema: { params: Name, body: ResetSchema } },
    ({ params, body }) => service.resetConsumer(context, params.name, body.offset),
  );
}
