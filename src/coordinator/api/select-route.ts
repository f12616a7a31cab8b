import { Type } from 'typebox';
import { SelectRequestSchema, ValuesRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id, text } from './path-field.ts';
import { route, type Route } from './route.ts';

export const selectRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/select/match',
    right: 'read',
    summary: 'List the devices that a selector matches',
    body: SelectRequestSchema,
    run: (context, { body }) => service.matchSelector(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/select/count',
    right: 'read',
    summary: 'Count the devices that a selector matches',
    body: SelectRequestSchema,
    run: (context, { body }) => service.countSelector(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/select/values',
    right: 'read',
    summary: 'Count the values of a grain or a tag',
    body: ValuesRequestSchema,
    run: (context, { body }) => service.showValues(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/select/complete',
    right: 'read',
    summary: 'Say how a selector that is being typed may go on',
    query: Type.Object({ text: Type.Optional(Type.String({ maxLength: 10_240 })) }),
    run: (context, { query }) => service.completeText(context, query.text ?? ''),
  }),
  route({
    method: 'POST',
    path: '/v1/select/explain',
    right: 'read',
    summary: 'Explain what each part of a selector matches',
    body: SelectRequestSchema,
    run: (context, { body }) => service.explain(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/why/:id',
    right: 'read',
    summary: 'Say which rule keeps a device from its update',
    params: Id,
    query: Type.Object({ rollout: Type.Optional(text) }),
    run: (context, { params, query }) => service.why(context, params.id, query.rollout),
  }),
];
