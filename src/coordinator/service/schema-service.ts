import type {
  EventSchemaDocument,
  EventSchemaFacts,
  RegisteredSchemas,
  RegisterRequest,
  SchemaList,
} from '../../client/contract/schema.ts';
import { FlotillaError } from '../../error.ts';
import type { SchemaRow } from '../../store/index.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { registerSchema } from '../core/schema-operation.ts';
import { reviewedOf, type SchemaState } from '../core/schema-state.ts';
import { audit, type ServiceContext } from './context.ts';

/** In order of type and version, those that devices told behind the others; parked ones by how many wait. */
export function listSchemas({ core }: ServiceContext, query: { text?: boolean }): Promise<SchemaList> {
  return core.submit(({ state: { schemas } }) => ({
    schemas: [...schemas.bySha256.values()]
      .toSorted((a, b) => compareText(a.type, b.type) || compareRank(a, b) || a.createdAtMs - b.createdAtMs)
      .map((row) => (query.text === true ? { ...factsOf(row), text: row.text } : factsOf(row))),
    parked: [...schemas.parked.values()].toSorted((a, b) => b.events - a.events),
  }));
}

/** By `TYPE` (the newest), `TYPE@VERSION`, fingerprint, or SHA-256. */
export function showSchema({ core }: ServiceContext, reference: string): Promise<EventSchemaDocument> {
  return core.submit(({ state: { schemas } }) => {
    const row = findSchema(schemas, reference);
    if (row !== undefined) return { ...factsOf(row), text: row.text };
    const parked = schemas.parked.get(reference);
    throw new FlotillaError('usage', 'schema-unknown', `there is no schema ${reference}`, {
      seen: parked === undefined ? reference : `${parked.events} events wait for it`,
      expected: 'an event type, TYPE@VERSION, or a fingerprint of 16 hex digits',
      suggestion: 'flotilla event schema list',
    });
  });
}

/** All or nothing. */
export function registerSchemas(context: ServiceContext, request: RegisterRequest): Promise<RegisteredSchemas> {
  return context.core.submit((turn) => ({
    schemas: request.schemas.map(({ label, text }) => {
      const { row, isNew } = registerSchema(turn, label, text, context.actor);
      if (isNew) {
        const payload = { eventType: row.type, version: row.version, fingerprint: row.fingerprint, sha256: row.sha256 };
        appendOwnEvent(turn, { deviceId: '', type: 'coordinator.schema-registered', key: row.fingerprint, payload });
        audit(turn, context, 'schema.register', row.type, payload);
      }
      return { ...factsOf(row), label, outcome: isNew ? ('registered' as const) : ('unchanged' as const) };
    }),
  }));
}

function findSchema(schemas: SchemaState, reference: string): SchemaRow | undefined {
  const direct =
    schemas.byFingerprint.get(reference) ?? schemas.bySha256.get(reference) ?? schemas.newest.get(reference);
  if (direct !== undefined) return direct;
  const [, type = '', version = ''] = /^(.+)@([0-9]+)$/.exec(reference) ?? [];
  if (version !== '') return reviewedOf(schemas, type).find((row) => row.version === Number(version));
  return [...schemas.bySha256.values()].find((row) => row.type === reference);
}

function factsOf({ text: _, ...facts }: SchemaRow): EventSchemaFacts {
  return facts;
}

/** Two without a version have none to compare. */
function compareRank(a: SchemaRow, b: SchemaRow): number {
  return (a.version ?? Number.MAX_SAFE_INTEGER) - (b.version ?? Number.MAX_SAFE_INTEGER);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
