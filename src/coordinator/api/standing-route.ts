import { ChangedSchema, QuarantineRequestSchema } from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, type Route } from './route.ts';

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
];
