import {
  AgentsUpdatedSchema,
  AgentUpdateProgressSchema,
  AllowBundleSchema,
  BundleAllowedSchema,
  ChangedSchema,
  QuarantineRequestSchema,
  ReplaceRequestSchema,
  ReplacementSchema,
  TimeResetSentSchema,
  TimeResetsSchema,
  UpdateAgentsSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { Id } from './path-field.ts';
import { route, type Route } from './route.ts';

/** Ten thousand orders. */
const maxResetBytes = 4 * 1024 * 1024;

/** What an operator decides about a device that is not as it should be. */
export const standingRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/devices/quarantine',
    right: 'isolate',
    summary: 'Hold devices to their control lane',
    body: QuarantineRequestSchema,
    reply: ChangedSchema,
    run: (context, { body }) => service.quarantineDevices(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/allow-bundle',
    right: 'release',
    summary: 'Let devices take a bundle again that they have reverted',
    body: AllowBundleSchema,
    reply: BundleAllowedSchema,
    run: (context, { body }) => service.allowBundle(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/update-agent',
    right: 'release',
    summary: 'Offer devices another version of their agent',
    body: UpdateAgentsSchema,
    reply: AgentsUpdatedSchema,
    run: (context, { body }) => service.updateAgents(context, body),
  }),
  route({
    method: 'GET',
    path: '/v1/agent-updates/:id',
    right: 'read',
    summary: 'Show how an order to update agents stands',
    params: Id,
    reply: AgentUpdateProgressSchema,
    run: (context, { params }) => service.showAgentUpdate(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/:id/replace',
    right: 'administer',
    summary: 'Let new hardware take the place of a device',
    params: Id,
    body: ReplaceRequestSchema,
    reply: ReplacementSchema,
    run: (context, { params, body }) => service.replaceDevice(context, params.id, body),
  }),
  route({
    method: 'POST',
    path: '/v1/devices/reset-time',
    right: 'administer',
    summary: 'Deliver orders of the root to forget a wrong time',
    maxBodyBytes: maxResetBytes,
    body: TimeResetsSchema,
    reply: TimeResetSentSchema,
    run: (context, { body }) => service.resetTime(context, body),
  }),
];
