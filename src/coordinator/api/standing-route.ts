import {
  ChangedSchema,
  QuarantineRequestSchema,
  TimeResetSentSchema,
  TimeResetsSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
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
    path: '/v1/devices/reset-time',
    right: 'administer',
    summary: 'Deliver orders of the root to forget a wrong time',
    maxBodyBytes: maxResetBytes,
    body: TimeResetsSchema,
    reply: TimeResetSentSchema,
    run: (context, { body }) => service.resetTime(context, body),
  }),
];
