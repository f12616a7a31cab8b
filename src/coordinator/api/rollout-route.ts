import { Type } from 'typebox';
import {
  RolloutChangeSchema,
  RolloutPlanSchema,
  RolloutReportSchema,
  RolloutRequestSchema,
  RolloutSchema,
} from '../../client/contract/index.ts';
import type { Right } from '../operator/right.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, rowsRoute, type Route } from './route.ts';

/** A plan of 200,000 devices. */
const maxPlanBytes = 64 * 1024 * 1024;

export const rolloutRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/rollouts',
    right: 'rollout',
    summary: 'Start a rollout of a release, of settings, of a job or of new certificates',
    body: RolloutRequestSchema,
    reply: RolloutSchema,
    run: (context, { body }) => service.startRollout(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/rollouts/plan',
    right: 'read',
    summary: 'Show what a policy would do now, as a plan that can be applied later',
    body: RolloutRequestSchema,
    reply: RolloutPlanSchema,
    run: (context, { body }) => service.planRolloutFile(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/rollouts/apply',
    right: 'rollout',
    summary: 'Start a rollout as a plan says, unless something of it has changed',
    maxBodyBytes: maxPlanBytes,
    body: RolloutPlanSchema,
    reply: RolloutSchema,
    run: (context, { body }) => service.applyRolloutPlan(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts',
    right: 'read',
    summary: 'List rollouts',
    reply: Type.Array(RolloutSchema),
    run: (context) => service.listRollouts(context),
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts/:id',
    right: 'read',
    summary: 'Show a rollout with its devices',
    params: Id,
    reply: RolloutSchema,
    run: (context, { params }) => service.showRollout(context, params.id),
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts/:id/report',
    right: 'read',
    summary: 'Report on a rollout: phases, timeline, causes, bytes, durations, and each device with its evidence',
    params: Id,
    reply: RolloutReportSchema,
    run: (context, { params }) => service.showRolloutReport(context, params.id),
  }),
  rowsRoute({
    method: 'GET',
    path: '/v1/rollouts/:id/recording',
    right: 'read',
    summary: 'Export all that a rollout went by, to replay it',
    params: Id,
    run: (context, { params }, signal) => service.recordRollout(context, params.id, signal),
  }),
  change('pause', 'halt', 'Pause a rollout: devices that have begun finish'),
  change('resume', 'rollout', 'Resume a rollout that is paused or halted'),
  change('abort', 'halt', 'Abort a rollout for good'),
  change('approve', 'read', 'Approve the phase that waits for it; the role that it names is asked for'),
  rowsRoute({
    method: 'GET',
    path: '/v1/rollouts/:id/follow',
    right: 'read',
    summary: 'Follow a rollout: each device, then the rollout when it has ended or halted',
    params: Id,
    run: (context, { params }, signal) => service.followRollout(context, params.id, signal),
  }),
];

function change(verb: 'pause' | 'resume' | 'abort' | 'approve', right: Right, summary: string): Route {
  return route({
    method: 'POST',
    path: `/v1/rollouts/:id/${verb}`,
    right,
    summary,
    params: Id,
    body: RolloutChangeSchema,
    reply: RolloutSchema,
    run: (context, { params, body }) => service.changeRollout(context, params.id, verb, body),
  });
}
