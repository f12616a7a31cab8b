import { Type } from 'typebox';
import {
  deadLetterLayers,
  deadLetterStates,
  DiscardRequestSchema,
  eventFilterFields,
  ReplayRequestSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, type Route } from './route.ts';

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

export const deadLetterRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/deadletters',
    right: 'read',
    summary: 'List what could not be taken',
    query: DeadLetterQuerySchema,
    run: (context, { query }) => service.listDeadLetters(context, query),
  }),
  route({
    method: 'GET',
    path: '/v1/deadletters/:id',
    right: 'read',
    summary: 'Show a dead letter with its payload',
    params: Type.Object({ id: Type.Integer({ minimum: 1 }) }),
    run: (context, { params }) => service.showDeadLetter(context, params.id),
  }),
  route({
    method: 'POST',
    path: '/v1/deadletters/replay',
    right: 'operate',
    summary: 'Try dead letters once more',
    body: ReplayRequestSchema,
    run: (context, { body }) => service.replayDeadLetters(context, body.ids),
  }),
  route({
    method: 'POST',
    path: '/v1/deadletters/discard',
    right: 'operate',
    summary: 'Decide that dead letters need nothing more',
    body: DiscardRequestSchema,
    run: (context, { body }) => service.discardDeadLetters(context, body),
  }),
];
