import { authorityRoutes } from './authority-route.ts';
import { auditRoutes } from './audit-route.ts';
import { certificateRoutes } from './certificate-route.ts';
import { configRoutes } from './config-route.ts';
import { consumerRoutes } from './consumer-route.ts';
import { contentRoutes } from './content-route.ts';
import { coordinatorRoutes } from './coordinator-route.ts';
import { deadLetterRoutes } from './dead-letter-route.ts';
import { deviceRoutes } from './device-route.ts';
import { enrollmentRoutes } from './enrollment-route.ts';
import { eventRoutes } from './event-route.ts';
import { groupRoutes } from './group-route.ts';
import { jobRoutes } from './job-route.ts';
import { openApiRoute } from './openapi-route.ts';
import { operatorRoutes } from './operator-route.ts';
import { releaseRoutes } from './release-route.ts';
import { revocationListRoutes } from './revocation-list-route.ts';
import { renewalRoutes } from './renewal-route.ts';
import { updateRecordRoutes } from './update-record-route.ts';
import { rolloutRoutes } from './rollout-route.ts';
import type { Route } from './route.ts';
import { scheduleRoutes } from './schedule-route.ts';
import { schemaRoutes } from './schema-route.ts';
import { selectRoutes } from './select-route.ts';
import { standingRoutes } from './standing-route.ts';

/** Every route of CoordinatorClient. What is not here does not exist. */
export const routes: readonly Route[] = [
  ...authorityRoutes,
  ...auditRoutes,
  ...certificateRoutes,
  ...configRoutes,
  ...consumerRoutes,
  ...coordinatorRoutes,
  ...deadLetterRoutes,
  ...deviceRoutes,
  ...enrollmentRoutes,
  ...eventRoutes,
  ...groupRoutes,
  ...jobRoutes,
  ...contentRoutes,
  ...operatorRoutes,
  openApiRoute(() => routes),
  ...releaseRoutes,
  ...revocationListRoutes,
  ...renewalRoutes,
  ...updateRecordRoutes,
  ...rolloutRoutes,
  ...scheduleRoutes,
  ...schemaRoutes,
  ...selectRoutes,
  ...standingRoutes,
];
