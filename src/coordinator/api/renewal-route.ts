import { Type } from 'typebox';
import { ChangedSchema, RenewalSchema, RenewRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, type Route } from './route.ts';

export const renewalRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/renewals',
    right: 'read',
    summary: 'List the renewals of certificates that are under way',
    reply: Type.Array(RenewalSchema),
    run: (context) => service.listRenewals(context),
  }),
  route({
    method: 'POST',
    path: '/v1/certificates/renew',
    right: 'operate',
    summary: 'Have devices make new keys and get certificates for them',
    body: RenewRequestSchema,
    reply: ChangedSchema,
    run: (context, { body }) => service.renewCertificates(context, body),
  }),
];
