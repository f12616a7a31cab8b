import { Type } from 'typebox';
import { groupNamePattern, GroupRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, type Route } from './route.ts';

const Name = Type.Object({ name: Type.String({ pattern: groupNamePattern }) });

export const groupRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/groups',
    right: 'read',
    summary: 'List the named selectors',
    run: (context) => service.listGroups(context),
  }),
  route({
    method: 'GET',
    path: '/v1/groups/:name',
    right: 'read',
    summary: 'Show a named selector',
    params: Name,
    run: (context, { params }) => service.showGroup(context, params.name),
  }),
  route({
    method: 'POST',
    path: '/v1/groups',
    right: 'operate',
    summary: 'Name a selector, or change what a name means',
    body: GroupRequestSchema,
    run: (context, { body }) => service.addGroup(context, body),
  }),
  route({
    method: 'DELETE',
    path: '/v1/groups/:name',
    right: 'operate',
    summary: 'Remove a named selector that nothing names',
    params: Name,
    run: (context, { params }) => service.removeGroup(context, params.name),
  }),
];
