import { Type } from 'typebox';
import {
  ReceiptSchema,
  ReceiptTakenSchema,
  updateHistoryFields,
  UpdateRecordSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, type Route } from './route.ts';

export const updateRecordRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/devices/:id/updates',
    right: 'read',
    summary: 'List the updates of a device that have ended',
    params: Id,
    query: Type.Object(updateHistoryFields),
    reply: Type.Array(UpdateRecordSchema),
    run: (context, { params, query }) => service.listUpdates(context, params.id, query),
  }),
  route({
    method: 'POST',
    path: '/v1/receipts',
    right: 'operate',
    summary: "Take a device's receipt of an update from a file into its history",
    body: ReceiptSchema,
    reply: ReceiptTakenSchema,
    run: (context, { body }) => service.takeReceipt(context, body),
  }),
];
