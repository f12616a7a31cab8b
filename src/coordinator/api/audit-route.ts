import { Type } from 'typebox';
import { AuditEntrySchema, AuditHeadSchema, AuditQuerySchema } from '../../client/contract/audit.ts';
import * as service from '../service/index.ts';
import { route, rowsRoute, type Route } from './route.ts';

export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/audit',
    right: 'administer',
    summary: 'List who changed what, or tried to',
    query: AuditQuerySchema,
    reply: Type.Array(AuditEntrySchema),
    run: (context, { query }) => service.listAudit(context, query),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/audit/follow',
    right: 'administer',
    summary: 'Follow the audit log',
    query: AuditQuerySchema,
    reply: AuditEntrySchema,
    run: (context, { query }, signal) => service.followAudit(context, query, signal),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/audit/export',
    right: 'administer',
    summary: 'Export the audit log so that it can be verified elsewhere',
    query: Type.Object({ from: Type.Optional(Type.Integer({ minimum: 1 })) }),
    run: (context, { query }, signal) => service.exportAudit(context, query, signal),
  }),
  route({
    method: 'GET',
    path: '/v1/audit/head',
    right: 'administer',
    summary: 'Sign and show the end of the audit log',
    reply: AuditHeadSchema,
    run: (context) => service.showAuditHead(context),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/audit/verify',
    right: 'administer',
    summary: 'Verify the audit log; one row with what was found',
    query: Type.Object({ head: Type.Optional(Type.String({ maxLength: 128 })) }),
    async *run(context, { query }, signal) {
      yield await service.verifyAudit(context, query, signal);
    },
  }),
];
