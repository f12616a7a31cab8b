import { Type } from 'typebox';
import {
  EnrollmentTokenMadeSchema,
  EnrollmentTokenRequestSchema,
  EnrollmentTokenViewSchema,
  ManifestImportedSchema,
  ManifestImportSchema,
  ManifestRemoveSchema,
  PreregistrationViewSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, type Route } from './route.ts';

/** A manifest of the largest size. */
const maxManifestBytes = 64 * 1024 * 1024;

export const enrollmentRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/enrollment-tokens',
    right: 'enroll',
    summary: 'Make an enrollment token; its text is told once',
    body: EnrollmentTokenRequestSchema,
    reply: EnrollmentTokenMadeSchema,
    run: (context, { body }) => service.addToken(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/enrollment-tokens',
    right: 'read',
    summary: 'List the enrollment tokens, without their secrets',
    reply: Type.Array(EnrollmentTokenViewSchema),
    run: (context) => service.listTokens(context),
  }),
  route({
    method: 'POST',
    path: '/v1/enrollment-tokens/:id/revoke',
    right: 'enroll',
    summary: 'Revoke an enrollment token',
    params: Id,
    body: Type.Object({}),
    reply: EnrollmentTokenViewSchema,
    run: (context, { params }) => service.revokeToken(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/manifest',
    right: 'enroll',
    summary: 'Pre-register devices, all of them or none',
    maxBodyBytes: maxManifestBytes,
    body: ManifestImportSchema,
    reply: ManifestImportedSchema,
    run: (context, { body }) => service.importManifest(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/manifest',
    right: 'read',
    summary: 'List the pre-registered devices',
    reply: Type.Array(PreregistrationViewSchema),
    run: (context) => service.listManifest(context),
  }),
  route({
    method: 'POST',
    path: '/v1/manifest/remove',
    right: 'enroll',
    summary: 'Expect these devices no more',
    maxBodyBytes: maxManifestBytes,
    body: ManifestRemoveSchema,
    reply: Type.Object({ removed: Type.Array(Type.String()) }),
    run: (context, { body }) => service.removeFromManifest(context, body.ids),
  }),
];
