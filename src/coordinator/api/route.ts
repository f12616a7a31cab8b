import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import {
  AcceptRequestSchema,
  ConfigRequestSchema,
  ConfigResolveSchema,
  DeviceStateSchema,
  JobRequestSchema,
  RegisterRequestSchema,
  ProductRequestBodySchema,
  QuarantineRequestSchema,
  RevokeRequestSchema,
  RolloutChangeSchema,
  RolloutRequestSchema,
  SelectRequestSchema,
  SignRequestSchema,
  TagChangeSchema,
  TargetSchema,
  type AcceptRequest,
  type ConfigRequest,
  type ConfigResolve,
  type JobRequest,
  type RegisterRequest,
  type ProductRequestBody,
  type QuarantineRequest,
  type RevokeRequest,
  type RolloutChange,
  type RolloutRequest,
  type SelectRequest,
  type SignRequest,
  type TagChange,
} from '../../client/contract/index.ts';
import { ConfigNameSchema } from '../../protocol/event.ts';
import * as service from '../service/index.ts';
import { maxBlobBytes } from '../service/receive-blob.ts';
import { addConsumerRoutes } from './consumer-route.ts';
import { addDeadLetterRoutes } from './dead-letter-route.ts';
import { addEventRoutes } from './event-route.ts';
import { sendRows } from './send-rows.ts';

const text = Type.String({ minLength: 1, maxLength: 10_240 });
const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) });
const Empty = Type.Object({});
type IdParams = { Params: { id: string } };

/** Each route of CoordinatorClient, by name of its path. What is not here does not exist. */
export function addRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  addDeviceRoutes(app, context, closing);
  addCertificateRoutes(app, context);
  addJobRoutes(app, context, closing);
  addReleaseRoutes(app, context);
  addRolloutRoutes(app, context, closing);
  addSchemaRoutes(app, context);
  addConfigRoutes(app, context);

  app.get('/v1/status', { schema: { querystring: Empty } }, () => service.showStatus(context));
  app.post('/v1/shutdown', { schema: { body: Empty } }, () => {
    context.shutdown();
    return { pid: process.pid };
  });

  const select = { schema: { body: SelectRequestSchema } };
  app.post<{ Body: SelectRequest }>('/v1/select/match', select, ({ body }) => service.matchSelector(context, body));
  app.post<{ Body: SelectRequest }>('/v1/select/explain', select, ({ body }) => service.explain(context, body));

  addEventRoutes(app, context, closing);
  addConsumerRoutes(app, context, closing);
  addDeadLetterRoutes(app, context);

  const why = { schema: { params: Id, querystring: Type.Object({ rollout: Type.Optional(text) }) } };
  app.get<IdParams & { Querystring: { rollout?: string } }>('/v1/why/:id', why, ({ params, query }) =>
    service.why(context, params.id, query.rollout),
  );
}

function addDeviceRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  const list = Type.Object({ selector: Type.Optional(text), state: Type.Optional(DeviceStateSchema) });
  app.get<{ Querystring: { selector?: string; state?: string } }>(
    '/v1/devices',
    { schema: { querystring: list } },
    ({ query }) => service.listDevices(context, query),
  );
  app.get<{ Querystring: { selector?: string } }>(
    '/v1/devices/watch',
    { schema: { querystring: Type.Object({ selector: Type.Optional(text) }) } },
    (request, reply) =>
      sendRows(request, reply, closing, (signal) => service.followDevices(context, request.query.selector, signal)),
  );
  app.get<IdParams>('/v1/devices/:id', { schema: { params: Id } }, ({ params }) =>
    service.showDevice(context, params.id),
  );
  app.delete<IdParams>('/v1/devices/:id', { schema: { params: Id } }, ({ params }) =>
    service.dropDevice(context, params.id),
  );
  app.post<IdParams & { Body: ProductRequestBody }>(
    '/v1/devices/:id/requests',
    { schema: { params: Id, body: ProductRequestBodySchema } },
    ({ params, body }) => service.sendProductRequest(context, params.id, body),
  );
  const target = { schema: { body: TargetSchema } };
  app.post<{ Body: AcceptRequest }>('/v1/devices/accept', { schema: { body: AcceptRequestSchema } }, ({ body }) =>
    service.acceptDevices(context, body),
  );
  app.post<{ Body: QuarantineRequest }>(
    '/v1/devices/quarantine',
    { schema: { body: QuarantineRequestSchema } },
    ({ body }) => service.quarantineDevices(context, body),
  );
  app.post<{ Body: { selector: string } }>('/v1/devices/reject', target, ({ body }) =>
    service.rejectDevices(context, body.selector),
  );
  app.post<{ Body: TagChange }>('/v1/devices/tag', { schema: { body: TagChangeSchema } }, ({ body }) =>
    service.tagDevices(context, body),
  );
}

function addCertificateRoutes(app: FastifyInstance, context: service.ServiceContext): void {
  app.get<{ Querystring: { device?: string } }>(
    '/v1/certificates',
    { schema: { querystring: Type.Object({ device: Type.Optional(text) }) } },
    ({ query }) => service.listCertificates(context, query.device),
  );
  app.get<IdParams>('/v1/certificates/:id', { schema: { params: Id } }, ({ params }) =>
    service.showCertificate(context, params.id),
  );
  app.post<{ Body: SignRequest }>('/v1/certificates/sign', { schema: { body: SignRequestSchema } }, ({ body }) =>
    service.signCertificate(context, body),
  );
  app.post<{ Body: RevokeRequest }>('/v1/certificates/revoke', { schema: { body: RevokeRequestSchema } }, ({ body }) =>
    service.revokeCertificates(context, body),
  );
}

function addJobRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  app.post<{ Body: JobRequest }>('/v1/jobs', { schema: { body: JobRequestSchema } }, ({ body }) =>
    service.startJob(context, body),
  );
  app.get('/v1/jobs', { schema: { querystring: Empty } }, () => service.listJobs(context));
  app.get<IdParams>('/v1/jobs/:id', { schema: { params: Id } }, ({ params }) => service.showJob(context, params.id));
  app.post<IdParams>('/v1/jobs/:id/cancel', { schema: { params: Id, body: Empty } }, ({ params }) =>
    service.cancelJob(context, params.id),
  );
  app.get<IdParams>('/v1/jobs/:id/follow', { schema: { params: Id } }, (request, reply) =>
    sendRows(request, reply, closing, (signal) => service.followJob(context, request.params.id, signal)),
  );
}

function addReleaseRoutes(app: FastifyInstance, context: service.ServiceContext): void {
  app.put<{ Querystring: { channel: string }; Body: Readable }>(
    '/v1/releases',
    { bodyLimit: maxBlobBytes, schema: { querystring: Type.Object({ channel: text }) } },
    ({ query, body }) => service.publishRelease(context, query.channel, body),
  );
  app.get('/v1/releases', { schema: { querystring: Empty } }, () => service.listReleases(context));
  app.get<IdParams>('/v1/releases/:id', { schema: { params: Id } }, ({ params }) =>
    service.showRelease(context, params.id),
  );
}

function addRolloutRoutes(app: FastifyInstance, context: service.ServiceContext, closing: AbortSignal): void {
  app.post<{ Body: RolloutRequest }>('/v1/rollouts', { schema: { body: RolloutRequestSchema } }, ({ body }) =>
    service.startRollout(context, body),
  );
  app.get('/v1/rollouts', { schema: { querystring: Empty } }, () => service.listRollouts(context));
  app.get<IdParams>('/v1/rollouts/:id', { schema: { params: Id } }, ({ params }) =>
    service.showRollout(context, params.id),
  );
  for (const verb of ['pause', 'resume', 'abort'] as const) {
    app.post<IdParams & { Body: RolloutChange }>(
      `/v1/rollouts/:id/${verb}`,
      { schema: { params: Id, body: RolloutChangeSchema } },
      ({ params, body }) => service.changeRollout(context, params.id, verb, body),
    );
  }
  app.get<IdParams>('/v1/rollouts/:id/follow', { schema: { params: Id } }, (request, reply) =>
    sendRows(request, reply, closing, (signal) => service.followRollout(context, request.params.id, signal)),
  );
}

/** Several schemas of the largest size in one request. */
const maxRegisterBytes = 8 * 1024 * 1024;

function addSchemaRoutes(app: FastifyInstance, context: service.ServiceContext): void {
  const list = { schema: { querystring: Type.Object({ text: Type.Optional(Type.Boolean()) }) } };
  app.get<{ Querystring: { text?: boolean } }>('/v1/schemas', list, ({ query }) => service.listSchemas(context, query));
  app.get<IdParams>('/v1/schemas/:id', { schema: { params: Id } }, ({ params }) =>
    service.showSchema(context, params.id),
  );
  app.post<{ Body: RegisterRequest }>(
    '/v1/schemas',
    { bodyLimit: maxRegisterBytes, schema: { body: RegisterRequestSchema } },
    ({ body }) => service.registerSchemas(context, body),
  );
}

function addConfigRoutes(app: FastifyInstance, context: service.ServiceContext): void {
  const Named = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }), name: ConfigNameSchema });
  type NamedParams = { Params: { id: string; name: string } };
  app.post<{ Body: ConfigRequest }>('/v1/configs', { schema: { body: ConfigRequestSchema } }, ({ body }) =>
    service.setConfig(context, body),
  );
  app.get<IdParams>('/v1/configs/:id', { schema: { params: Id } }, ({ params }) =>
    service.listConfigs(context, params.id),
  );
  app.get<NamedParams>('/v1/configs/:id/:name', { schema: { params: Named } }, ({ params }) =>
    service.showConfig(context, params.id, params.name),
  );
  app.post<NamedParams & { Body: ConfigResolve }>(
    '/v1/configs/:id/:name/resolve',
    { schema: { params: Named, body: ConfigResolveSchema } },
    ({ params, body }) => service.resolveConfig(context, params.id, params.name, body),
  );
}
