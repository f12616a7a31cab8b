import { Type } from 'typebox';
import { ScheduleRequestSchema, ScheduleSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { EmptyBody } from './path-field.ts';
import { route, type Route } from './route.ts';

const Name = Type.Object({ name: Type.String({ minLength: 1, maxLength: 256 }) });

const change = (verb: 'pause' | 'resume', summary: string): Route =>
  route({
    method: 'POST',
    path: `/v1/schedules/:name/${verb}`,
    right: 'operate',
    summary,
    params: Name,
    body: EmptyBody,
    reply: ScheduleSchema,
    run: (context, { params }) => service.changeSchedule(context, params.name, verb),
  });

export const scheduleRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/schedules',
    right: 'operate',
    summary: 'Add a schedule of a job',
    body: ScheduleRequestSchema,
    reply: ScheduleSchema,
    run: (context, { body }) => service.addSchedule(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/schedules',
    right: 'read',
    summary: 'List schedules',
    reply: Type.Array(ScheduleSchema),
    run: (context) => service.listSchedules(context),
  }),
  route({
    method: 'GET',
    path: '/v1/schedules/:name',
    right: 'read',
    summary: 'Show a schedule with its last firings',
    params: Name,
    reply: ScheduleSchema,
    run: (context, { params }) => service.showSchedule(context, params.name),
  }),
  route({
    method: 'GET',
    path: '/v1/schedules/:name/next',
    right: 'read',
    summary: 'Say when a schedule is due',
    params: Name,
    query: Type.Object({ count: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })) }),
    run: (context, { params, query }) => service.nextTimes(context, params.name, query.count),
  }),
  change('pause', 'Pause a schedule'),
  change('resume', 'Let a paused schedule go on'),
  route({
    method: 'DELETE',
    path: '/v1/schedules/:name',
    right: 'operate',
    summary: 'Remove a schedule',
    params: Name,
    run: (context, { params }) => service.removeSchedule(context, params.name),
  }),
];
