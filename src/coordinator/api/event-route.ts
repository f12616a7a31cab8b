import { Type } from 'typebox';
import { eventFilterFields, RedactRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, rowsRoute, type Route } from './route.ts';

const EventQuerySchema = Type.Object({
  ...eventFilterFields,
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  asWritten: Type.Optional(Type.Boolean()),
});

export const eventRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/events',
    right: 'read',
    summary: 'List events',
    query: EventQuerySchema,
    run: (context, { query }) => service.listEvents(context, query),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/events/follow',
    right: 'read',
    summary: 'Follow events',
    query: EventQuerySchema,
    run: (context, { query }, signal) => service.followEvents(context, query, signal),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/events/export',
    right: 'read',
    summary: 'Export events up to the end of the log',
    query: EventQuerySchema,
    run: (context, { query }, signal) => service.exportEvents(context, query, signal),
  }),
  route({
    method: 'POST',
    path: '/v1/events/redact',
    right: 'administer',
    summary: 'Take key and payload out of events, for good',
    body: RedactRequestSchema,
    run: (context, { body }) => service.redactEvents(context, body),
  }),
];
