import { RevocationListReplySchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { bytesRoute, route, type Route } from './route.ts';

export const revocationListRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/crl',
    right: 'read',
    summary: 'Show the current revocation list',
    reply: RevocationListReplySchema,
    run: (context) => service.showRevocationList(context),
  }),
  bytesRoute({
    method: 'GET',
    path: '/v1/crl.der',
    right: 'read',
    summary: 'Fetch the current revocation list as DER',
    contentType: 'application/pkix-crl',
    run: (context) => service.revocationListBytes(context, 'der'),
  }),
  bytesRoute({
    method: 'GET',
    path: '/v1/crl.pem',
    right: 'read',
    summary: 'Fetch the current revocation list as PEM',
    contentType: 'application/x-pem-file',
    run: (context) => service.revocationListBytes(context, 'pem'),
  }),
];
