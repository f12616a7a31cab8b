import { Type } from 'typebox';
import * as service from '../service/index.ts';
import { EmptyBody } from './path-field.ts';
import { route, type Route } from './route.ts';

export const coordinatorRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/status',
    right: 'read',
    summary: 'Show the coordinator: version, gateways, devices, store',
    run: (context) => service.showStatus(context),
  }),
  route({
    method: 'POST',
    path: '/v1/shutdown',
    right: 'administer',
    summary: 'Stop the coordinator once this request is answered',
    body: EmptyBody,
    reply: Type.Object({ pid: Type.Integer() }),
    run: (context) => service.shutdown(context),
  }),
];
