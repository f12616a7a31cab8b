import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import {
  deadLetterLayers,
  deadLetterStates,
  DiscardRequestSchema,
  eventFilterFields,
  ReplayRequestSchema,
  type DeadLetterQuery,
  type DiscardRequest,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';

const { selector, type, sinceMs, untilMs } = eventFilterFields;
const DeadLetterQuerySchema = Type.Object({
  selector,
  type,
  sinceMs,
  untilMs,
  layer: Type.Optional(Type.Enum(deadLetterLayers)),
  state: Type.Optional(Type.Enum(deadLetterStates)),
  consumer: Type.Optional(Type.String({ maxLength: 64 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});

export function addDeadLetterRoutes(app: FastifyInstance, context: service.ServiceContext): void {
  app.get<{ Querystring: DeadLetterQuery }>(
    '/v1/deadletters',
    { schema: { querystring: DeadLetterQuerySchema } },
    ({ query }) => service.listDeadLetters(context, query),
  );
  app.get<{ Params: { id: number } }>(
    '/v1/deadletters/:id',
    { schema: { params: Type.Object({ id: Type.Integer({ minimum: 1 }) }) } },
    ({ params }) => service.showDeadLetter(context, params.id),
  );
  app.post<{ Body: { ids: number[] } }>(
    '/v1/deadletters/replay',
    { schema: { body: ReplayRequestSchema } },
    ({ body }) => service.replayDeadLetters(context, body.ids),
  );
  app.post<{ Body: DiscardRequest }>(
    '/v1/deadletters/discard',
    { schema: { body: DiscardRequestSchema } },
    ({ body }) => service.discardDeadLetters(context, body),
  );
}
