import { Type } from 'typebox';
import { RegisterRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, type Route } from './route.ts';

/** Several schemas of the largest size in one request. */
const maxRegisterBytes = 8 * 1024 * 1024;

export const schemaRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/schemas',
    right: 'read',
    summary: 'List event schemas, and events that wait for one',
    query: Type.Object({ text: Type.Optional(Type.Boolean()) }),
    run: (context, { query }) => service.listSchemas(context, query),
  }),
  route({
    method: 'GET',
    path: '/v1/schemas/:id',
    right: 'read',
    summary: 'Show an event schema by type, type@version, fingerprint or SHA-256',
    params: Id,
    run: (context, { params }) => service.showSchema(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/schemas',
    right: 'release',
    summary: 'Register event schemas, all or none',
    maxBodyBytes: maxRegisterBytes,
    body: RegisterRequestSchema,
    run: (context, { body }) => service.registerSchemas(context, body),
  }),
];
