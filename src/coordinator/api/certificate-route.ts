import { Type } from 'typebox';
import {
  CertificateSchema,
  RevokeRequestSchema,
  SignedSchema,
  SignRequestSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id, text } from './path-field.ts';
import { route, type Route } from './route.ts';

export const certificateRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/certificates',
    right: 'read',
    summary: 'List device certificates in order of issue',
    query: Type.Object({ device: Type.Optional(text) }),
    reply: Type.Array(CertificateSchema),
    run: (context, { query }) => service.listCertificates(context, query.device),
  }),
  route({
    method: 'GET',
    path: '/v1/certificates/:id',
    right: 'read',
    summary: 'Show a certificate by its serial number',
    params: Id,
    reply: CertificateSchema,
    run: (context, { params }) => service.showCertificate(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/certificates/sign',
    right: 'enroll',
    summary: 'Sign the request of a device for a certificate',
    body: SignRequestSchema,
    reply: SignedSchema,
    run: (context, { body }) => service.signCertificate(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/certificates/revoke',
    right: 'administer',
    summary: 'Revoke a certificate, or a device with all its certificates, and cut the connection',
    body: RevokeRequestSchema,
    reply: Type.Object({ revoked: Type.Array(CertificateSchema), cutConnections: Type.Integer() }),
    run: (context, { body }) => service.revokeCertificates(context, body),
  }),
];
