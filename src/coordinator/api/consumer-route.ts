import { Type } from 'typebox';
import {
  AckSchema,
  consumerNamePattern,
  eventFilterFields,
  ResetSchema,
  SettleRequestSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, rowsRoute, type Route } from './route.ts';

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

/** Streaming as a consumer makes it, takes it over and moves it: that is no reading. */
export const consumerRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/consumers',
    right: 'read',
    summary: 'List the readers of the log whose place is kept',
    run: (context) => service.listConsumers(context),
  }),
  route({
    method: 'DELETE',
    path: '/v1/consumers/:name',
    right: 'operate',
    summary: 'Remove a consumer and its place',
    params: Name,
    run: (context, { params }) => service.removeConsumer(context, params.name),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/consumers/:name/stream',
    right: 'operate',
    summary: 'Read the log as a consumer; a new one is made',
    params: Name,
    query: ConsumerQuerySchema,
    run: (context, { params, query }, signal) => service.streamConsumer(context, params.name, query, signal),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/consumers/:name/handle',
    right: 'operate',
    summary: 'Read the log for a handler, with attempts and dead letters; a new consumer is made',
    params: Name,
    query: ConsumerQuerySchema,
    run: (context, { params, query }, signal) => service.streamHandler(context, params.name, query, signal),
  }),
  route({
    method: 'POST',
    path: '/v1/consumers/:name/ack',
    right: 'operate',
    summary: 'Say up to where a consumer is done',
    params: Name,
    body: AckSchema,
    run: (context, { params, body }) => service.acknowledge(context, params.name, body.offset),
  }),
  route({
    method: 'POST',
    path: '/v1/consumers/:name/settle',
    right: 'operate',
    summary: 'Say what came of rows that a handler was given',
    params: Name,
    body: SettleRequestSchema,
    run: (context, { params, body }) => service.settleRows(context, params.name, body),
  }),
  route({
    method: 'POST',
    path: '/v1/consumers/:name/reset',
    right: 'operate',
    summary: 'Move the place of a consumer',
    params: Name,
    body: ResetSchema,
    run: (context, { params, body }) => service.resetConsumer(context, params.name, body.offset),
  }),
];
