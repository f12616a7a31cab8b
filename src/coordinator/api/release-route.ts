import { Type } from 'typebox';
import { ReleaseSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { maxBlobBytes } from '../service/receive-blob.ts';
import { Id, text } from './path-field.ts';
import { route, uploadRoute, type Route } from './route.ts';

export const releaseRoutes: readonly Route[] = [
  uploadRoute({
    method: 'PUT',
    path: '/v1/releases',
    right: 'release',
    summary: 'Publish a signed bundle',
    query: Type.Object({ channel: text }),
    maxBodyBytes: maxBlobBytes,
    reply: ReleaseSchema,
    run: (context, { query, body }) => service.publishRelease(context, query.channel, body),
  }),
  route({
    method: 'GET',
    path: '/v1/releases',
    right: 'read',
    summary: 'List releases',
    reply: Type.Array(ReleaseSchema),
    run: (context) => service.listReleases(context),
  }),
  route({
    method: 'GET',
    path: '/v1/releases/:id',
    right: 'read',
    summary: 'Show a release',
    params: Id,
    reply: ReleaseSchema,
    run: (context, { params }) => service.showRelease(context, params.id),
  }),
];
