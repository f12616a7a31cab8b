import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import {
  eventFilterFields,
  RedactRequestSchema,
  type EventQuery,
  type RedactRequest,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { sendRows } from './send-rows.ts';

const EventQuerySchema = Type.Object({
  ...eventFilterFields,
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  asWritten: Type.Optional(Type.Boolean()),
});

export function addEventRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  const events = { schema: { querystring: EventQuerySchema } };
  app.get<{ Querystring: EventQuery }>('/v1/events', events, ({ query }) => service.listEvents(context, query));
  app.get<{ Querystring: EventQuery }>('/v1/events/follow', events, (request, reply) =>
    sendRows(request, reply, closing, (signal) => service.followEvents(context, request.query, signal)),
  );
  app.get<{ Querystring: EventQuery }>('/v1/events/export', events, (request, reply) =>
    sendRows(request, reply, closing, (signal) => service.exportEvents(context, request.query, signal)),
  );
  app.post<{ Body: RedactRequest }>('/v1/events/redact', { schema: { body: RedactRequestSchema } }, ({ body }) =>
    service.redactEvents(context, body),
  );
}
