import { Type } from 'typebox';
import {
  AcceptRequestSchema,
  ChangedSchema,
  DeviceSchema,
  DeviceStateSchema,
  ProductRequestBodySchema,
  TagChangeSchema,
  TargetSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id, text } from './path-field.ts';
import { route, rowsRoute, type Route } from './route.ts';

export const deviceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/devices',
    right: 'read',
    summary: 'List devices',
    query: Type.Object({ selector: Type.Optional(text), state: Type.Optional(DeviceStateSchema) }),
    reply: Type.Array(DeviceSchema),
    run: (context, { query }) => service.listDevices(context, query),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/devices/watch',
    right: 'read',
    summary: 'Follow devices: the fleet as it is, then each change',
    query: Type.Object({ selector: Type.Optional(text) }),
    run: (context, { query }, signal) => service.followDevices(context, query.selector, signal),
  }),
  route({
    method: 'GET',
    path: '/v1/devices/:id',
    right: 'read',
    summary: 'Show a device',
    params: Id,
    reply: DeviceSchema,
    run: (context, { params }) => service.showDevice(context, params.id),
  }),
  route({
    method: 'DELETE',
    path: '/v1/devices/:id',
    right: 'enroll',
    summary: 'Forget a device',
    params: Id,
    reply: ChangedSchema,
    run: (context, { params }) => service.dropDevice(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/:id/requests',
    right: 'operate',
    summary: 'Send a request to a program on a device',
    params: Id,
    body: ProductRequestBodySchema,
    run: (context, { params, body }) => service.sendProductRequest(context, params.id, body),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/accept',
    right: 'enroll',
    summary: 'Accept devices',
    body: AcceptRequestSchema,
    reply: ChangedSchema,
    run: (context, { body }) => service.acceptDevices(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/reject',
    right: 'isolate',
    summary: 'Reject devices and cut their connections',
    body: TargetSchema,
    reply: ChangedSchema,
    run: (context, { body }) => service.rejectDevices(context, body.selector),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/tag',
    right: 'tag',
    summary: 'Set and remove tags of devices',
    body: TagChangeSchema,
    reply: ChangedSchema,
    run: (context, { body }) => service.tagDevices(context, body),
  }),
];
