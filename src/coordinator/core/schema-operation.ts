/** What becomes of event schemas: registered by an operator, told by devices, missed and asked for. */
import { checkSchema, parseSchema, type EventSchema, type LabelledSchema } from '../../eventlog/schema/index.ts';
import { FlotillaError } from '../../error.ts';
import { ByteReader } from '../../protocol/byte-reader.ts';
import type { SchemaEvent } from '../../protocol/event.ts';
import { readPackedRows, type RowBlock } from '../../protocol/packed-rows.ts';
import type { ParkedRow, SchemaRow } from '../../store/row.ts';
import type { ConnectionId } from '../gateway/port.ts';
import { instanceHex } from './core-state.ts';
import { appendOwnEvent } from './event-operation.ts';
import { enqueueRequest } from './request-operation.ts';
import { indexSchema, reviewedOf } from './schema-state.ts';
import type { Turn } from './turn.ts';

/** What devices may bring without an operator: a bound against one that makes schemas up. */
const maxUnreviewed = 1_024;
const maxUnreviewedOfDevice = 32;
/** Unknown fingerprints that are counted and asked for each on its own. */
const maxParked = 1_024;
const maxParkedOfDevice = 32;
/** How long a device has for its answer before another one that sends such events is asked. */
const nextAskMs = 600_000;
const askExpiresMs = 86_400_000;
/** Devices whose turn is remembered. */
const maxAsked = 16;

/**
 * Events of these schemas were stored, one fingerprint (16 hex digits) for each event. Those that nobody knows here are
 * counted as parked, and the device is asked once: no event is refused for its schema.
 */
export function noteSchemas(turn: Turn, deviceId: string, fingerprints: Iterable<string>): void {
  const { schemas } = turn.state;
  const unknown = new Map<string, number>();
  for (const fingerprint of fingerprints) {
    if (!schemas.byFingerprint.has(fingerprint)) unknown.set(fingerprint, (unknown.get(fingerprint) ?? 0) + 1);
  }
  for (const [fingerprint, events] of unknown) park(turn, deviceId, fingerprint, events);
}

/** The same for a block of product rows but for the first `skip`: looked into only when a schema is not known. */
export function noteBlock(turn: Turn, deviceId: string, { schemas, bytes, count }: RowBlock, skip: number): void {
  const known = turn.state.schemas.byFingerprint;
  if (schemas.every((fingerprint) => known.has(instanceHex(fingerprint)))) return;
  const rows = [...readPackedRows(new ByteReader(bytes), count)].slice(skip);
  const fingerprints = rows.filter(({ schema }) => schema !== 0n).map(({ schema }) => instanceHex(schema));
  noteSchemas(turn, deviceId, fingerprints);
}

function park(turn: Turn, deviceId: string, fingerprint: string, events: number): void {
  const { parked } = turn.state.schemas;
  const key = parked.has(fingerprint) || hasRoom(parked, deviceId) ? fingerprint : '';
  const before = parked.get(key);
  const row: ParkedRow = {
    fingerprint: key,
    events: (before?.events ?? 0) + events,
    firstAtMs: before?.firstAtMs ?? turn.nowMs,
    lastAtMs: turn.nowMs,
    deviceId: before?.deviceId ?? deviceId,
    asked: before?.asked ?? {},
  };
  putParked(turn, key === '' ? row : ask(turn, deviceId, row));
}

function hasRoom(parked: ReadonlyMap<string, ParkedRow>, deviceId: string): boolean {
  if (parked.size >= maxParked) return false;
  let own = 0;
  for (const row of parked.values()) if (row.deviceId === deviceId) own += 1;
  return own < maxParkedOfDevice;
}

/** Once a day and device, and one device after the other: a fleet that was updated has one new schema, not thousands. */
function ask(turn: Turn, deviceId: string, row: ParkedRow): ParkedRow {
  const { nowMs } = turn;
  const lastAskMs = Math.max(0, ...Object.values(row.asked));
  const ownAskMs = row.asked[deviceId] ?? -Infinity;
  if (nowMs < lastAskMs + nextAskMs || nowMs < ownAskMs + askExpiresMs) return row;
  const { fingerprint } = row;
  const payload = { fingerprint };
  enqueueRequest(turn, deviceId, { type: 'schema.tell', key: fingerprint, payload, expiresAtMs: nowMs + askExpiresMs });
  const asked = Object.entries({ ...row.asked, [deviceId]: nowMs }).toSorted(([, a], [, b]) => b - a);
  return { ...row, asked: Object.fromEntries(asked.slice(0, maxAsked)) };
}

function putParked(turn: Turn, row: ParkedRow): void {
  turn.set(turn.state.schemas.parked, row.fingerprint, row);
  turn.write({ kind: 'parked-schema', parked: row });
}

/** `flotilla.schema`: the answer to `schema.tell`. @throws FlotillaError for a text that is not what was asked for */
export function learnSchema(turn: Turn, deviceId: string, { fingerprint, text }: SchemaEvent): void {
  if (text !== undefined) return takeSchema(turn, deviceId, fingerprint, text);
  const row = turn.state.schemas.parked.get(fingerprint);
  if (row === undefined) return;
  // It does not know either: the next device that sends such an event may be asked at once.
  const asked = Object.fromEntries(Object.keys(row.asked).map((id) => [id, Math.max(0, turn.nowMs - nextAskMs)]));
  putParked(turn, { ...row, asked });
}

/** DEFINE of a live connection: rows of this schema follow. One that can't be taken leaves them parked, not lost. */
export function defineSchema(turn: Turn, connection: ConnectionId, fingerprint: bigint, text: string): void {
  const deviceId = turn.state.connections.get(connection);
  const live = deviceId === undefined ? undefined : turn.state.live.get(deviceId);
  if (deviceId === undefined || live?.connection !== connection || live.standing !== 'accepted') return;
  try {
    takeSchema(turn, deviceId, instanceHex(fingerprint), text);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    const payload = { fingerprint: instanceHex(fingerprint), reason: `${error.message}: ${error.detail.seen ?? ''}` };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.schema-refused', key: payload.fingerprint, payload });
  }
}

function takeSchema(turn: Turn, deviceId: string, fingerprint: string, text: string): void {
  const { schemas } = turn.state;
  if (schemas.byFingerprint.has(fingerprint)) return;
  const schema = parseSchema(text);
  if (schema.fingerprint !== fingerprint) {
    throw new FlotillaError('failed', 'schema-fingerprint', 'a schema that is not the one of its fingerprint', {
      seen: `the text has ${schema.fingerprint}`,
      expected: fingerprint,
    });
  }
  const source = `device:${deviceId}`;
  const unreviewed = [...schemas.bySha256.values()].filter(({ state }) => state === 'unreviewed');
  const own = unreviewed.filter((row) => row.source === source).length;
  if (unreviewed.length >= maxUnreviewed || own >= maxUnreviewedOfDevice) {
    throw new FlotillaError('refused', 'schema-too-many', 'devices have told more schemas than anybody has reviewed', {
      seen: `${unreviewed.length} unreviewed, ${own} of this device`,
      expected: `at most ${maxUnreviewed}, ${maxUnreviewedOfDevice} of one device`,
    });
  }
  putSchema(turn, { ...factsOf(schema), state: 'unreviewed', source, createdAtMs: turn.nowMs });
  const payload = { eventType: schema.type, fingerprint };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.schema-unreviewed', key: fingerprint, payload });
}

export interface RegisteredSchema {
  row: SchemaRow;
  isNew: boolean;
}

/**
 * An operator stands for this schema; the same one again changes nothing.
 * @throws FlotillaError `schema-incompatible` when it does not fit every registered version of its type
 */
export function registerSchema(turn: Turn, label: string, text: string, actor: string): RegisteredSchema {
  const schema = parseLabelled(label, text);
  const { schemas } = turn.state;
  const known = schemas.bySha256.get(schema.sha256);
  if (known?.state === 'reviewed') return { row: known, isNew: false };
  const older = reviewedOf(schemas, schema.type);
  requireCompatible({ label, schema }, older.map(labelled));
  const row: SchemaRow = {
    ...factsOf(schema),
    version: (older.at(-1)?.version ?? 0) + 1,
    state: 'reviewed',
    source: actor,
    createdAtMs: known?.createdAtMs ?? turn.nowMs,
    reviewedAtMs: turn.nowMs,
  };
  putSchema(turn, row);
  return { row, isNew: true };
}

function putSchema(turn: Turn, row: SchemaRow): void {
  const { schemas } = turn.state;
  indexSchema(schemas, row, (map, key, value) => turn.set(map, key, value));
  turn.write({ kind: 'schema', schema: row });
  if (schemas.parked.has(row.fingerprint)) {
    turn.delete(schemas.parked, row.fingerprint);
    turn.write({ kind: 'parked-schema-removed', fingerprint: row.fingerprint });
  }
  if (row.state === 'reviewed') turn.afterCommit((gateway) => gateway.addSchemas({ [row.fingerprint]: row.text }));
}

/** As it stands in messages. */
export function labelled(row: SchemaRow): LabelledSchema {
  return { label: `version ${row.version ?? 'unreviewed'}`, schema: parseSchema(row.text) };
}

function factsOf({ sha256, fingerprint, type, text }: EventSchema) {
  return { sha256, fingerprint, type, text };
}

function parseLabelled(label: string, text: string): EventSchema {
  try {
    return parseSchema(text);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    throw new FlotillaError(error.fault, error.code, `${label}: ${error.message}`, error.detail);
  }
}

function requireCompatible(candidate: LabelledSchema, older: readonly LabelledSchema[]): void {
  const found = checkSchema(candidate, older);
  const [first] = found;
  if (first === undefined) return;
  const where = first.field === '' ? first.type : `${first.type}, field ${first.field}`;
  const more = found.length > 1 ? ` (and ${found.length - 1} more: flotilla event schema check)` : '';
  throw new FlotillaError('refused', 'schema-incompatible', `${where}: ${first.reason}${more}`, {
    seen: first.older === first.newer ? first.newer : `${first.older}, and ${first.newer}`,
    expected: 'schemas of which each reads the events of every other',
    suggestion: first.suggestion,
  });
}
