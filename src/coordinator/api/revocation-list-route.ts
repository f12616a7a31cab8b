import { RevocationListsSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { bytesRoute, route, type Route } from './route.ts';

export const revocationListRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/crl',
    right: 'read',
    summary: 'Show the current revocation list of each issuing authority',
    reply: RevocationListsSchema,
    run: (context) => service.showRevocationLists(context),
  }),
  bytesRoute({
    method: 'GET',
    path: '/v1/crl.der',
    right: 'read',
    summary: 'Fetch the revocation list of the authority that signs now, as DER',
    contentType: 'application/pkix-crl',
    run: (context) => service.revocationListBytes(context, 'der'),
  }),
  bytesRoute({
    method: 'GET',
    path: '/v1/crl.pem',
    right: 'read',
    summary: 'Fetch the revocation lists of all issuing authorities, as PEM',
    contentType: 'application/x-pem-file',
    run: (context) => service.revocationListBytes(context, 'pem'),
  }),
];
