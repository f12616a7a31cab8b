import { Type } from 'typebox';
import { JobFileSchema } from '../../client/contract/index.ts';
import { ContentSchema } from '../../protocol/job-action.ts';
import * as service from '../service/index.ts';
import { text } from './path-field.ts';
import { route, uploadRoute, type Route } from './route.ts';

export const contentRoutes: readonly Route[] = [
  uploadRoute({
    method: 'PUT',
    path: '/v1/contents',
    right: 'operate',
    summary: 'Send a script or a file that jobs deliver',
    query: Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
    maxBodyBytes: service.maxContentBytes,
    reply: ContentSchema,
    run: (context, { query, body }) => service.uploadContent(context, query.sha256, body),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/:id/files/:device',
    right: 'read',
    summary: 'Get the file that a job has read on a device',
    params: Type.Object({ id: text, device: text }),
    reply: JobFileSchema,
    run: (context, { params }) => service.showJobFile(context, params.id, params.device),
  }),
];
