import { Type } from 'typebox';
import {
  DeviceResultSchema,
  jobQueryFields,
  JobRequestSchema,
  JobRetryRequestSchema,
  JobSchema,
} from '../../client/contract/index.ts';
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
    query: Type.Object(jobQueryFields),
    reply: Type.Array(JobSchema),
    run: (context, { query }) => service.listJobs(context, query),
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
  route({
    method: 'POST',
    path: '/v1/jobs/:id/retry',
    right: 'operate',
    summary: 'Run a job again on those of its devices that ended in certain ways',
    params: Id,
    body: JobRetryRequestSchema,
    reply: JobSchema,
    run: (context, { params, body }) => service.retryJob(context, params.id, body),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/jobs/:id/results',
    right: 'read',
    summary: 'Export the results of a job as they are now',
    params: Id,
    reply: DeviceResultSchema,
    run: (context, { params }) => service.exportResults(context, params.id),
  }),
  route({
    method: 'GET',
    path: '/v1/devices/:id/jobs',
    right: 'read',
    summary: 'List the jobs of a device',
    params: Id,
    query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })) }),
    run: (context, { params, query }) => service.listDeviceJobs(context, params.id, query.limit),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/jobs/:id/follow',
    right: 'read',
    summary: 'Follow a job: each result, then the finished job',
    params: Id,
    query: Type.Object({ output: Type.Optional(Type.Boolean()) }),
    run: (context, { params, query }, signal) =>
      service.followJob(context, params.id, { output: query.output ?? false, signal }),
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/:id/output',
    right: 'operate',
    summary: 'Have the devices of a job tell what it writes, for those who follow it with its output',
    params: Id,
    body: EmptyBody,
    reply: JobSchema,
    run: (context, { params }) => service.askOutput(context, params.id),
  }),
];
