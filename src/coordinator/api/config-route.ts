import { Type } from 'typebox';
import { ConfigRequestSchema, ConfigResolveSchema } from '../../client/contract/index.ts';
import { ConfigNameSchema } from '../../protocol/event.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, type Route } from './route.ts';

const Named = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }), name: ConfigNameSchema });

export const configRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/configs',
    right: 'operate',
    summary: 'Set a document of settings on devices',
    body: ConfigRequestSchema,
    run: (context, { body }) => service.setConfig(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/configs/:id',
    right: 'read',
    summary: 'List the documents of settings of a device',
    params: Id,
    run: (context, { params }) => service.listConfigs(context, params.id),
  }),
  route({
    method: 'GET',
    path: '/v1/configs/:id/:name',
    right: 'read',
    summary: 'Show a document of settings: desired, reported, and where they differ',
    params: Named,
    run: (context, { params }) => service.showConfig(context, params.id, params.name),
  }),
  route({
    method: 'POST',
    path: '/v1/configs/:id/:name/resolve',
    right: 'operate',
    summary: 'Resolve a conflict of a document of settings',
    params: Named,
    body: ConfigResolveSchema,
    run: (context, { params, body }) => service.resolveConfig(context, params.id, params.name, body),
  }),
];
