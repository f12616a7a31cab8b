import { Type } from 'typebox';
import { JobRequestSchema, JobSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { EmptyBody, Id } from './path-field.ts';
import { route, rowsRoute, type Route } from './route.ts';

export const jobRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/jobs',
    right: 'operate',
    summary: 'Run a command on devices',
    body: JobRequestSchema,
    reply: JobSchema,
    run: (context, { body }) => service.startJob(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs',
    right: 'read',
    summary: 'List jobs',
    reply: Type.Array(JobSchema),
    run: (context) => service.listJobs(context),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/:id',
    right: 'read',
    summary: 'Show a job with its results',
    params: Id,
    reply: JobSchema,
    run: (context, { params }) => service.showJob(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/:id/cancel',
    right: 'operate',
    summary: 'Cancel a job',
    params: Id,
    body: EmptyBody,
    reply: JobSchema,
    run: (context, { params }) => service.cancelJob(context, params.id),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/jobs/:id/follow',
    right: 'read',
    summary: 'Follow a job: each result, then the finished job',
    params: Id,
    run: (context, { params }, signal) => service.followJob(context, params.id, signal),
  }),
];
