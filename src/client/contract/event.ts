import { Type, type Static } from 'typebox';

/** A row of the coordinator's event log. `offset` counts all rows of the log from 1, without gaps, in order of commit. */
export interface StoredEvent {
  offset: number;
  deviceId: string; // '' for the coordinator's own
  instanceId: string; // hex
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestampMs: number; // the writer's clock
  receivedAtMs: number; // the coordinator's
  /**
   * JSON as it came, or an Avro payload as JSON, by the newest registered schema of its type: longs beyond 2^53, NaN and
   * the infinities are text, bytes are base64. What can't be read: `{ schema, base64, error }`.
   */
  payload: unknown;
  /** An operator took key and payload out; null is all that is left of the payload. */
  redacted?: { by: string; reason: string; atMs: number };
}

/** Times are milliseconds since 1970; `since` is inclusive, `until` is not. */
export interface EventFilter {
  selector?: string;
  type?: string; // a glob: `flotilla.*`
  key?: string;
  lane?: number;
  /** When the coordinator received it. */
  sinceMs?: number;
  untilMs?: number;
  /** When it was written, by the device's clock. */
  deviceSinceMs?: number;
  deviceUntilMs?: number;
}

/** Query of `GET /v1/events`, `/v1/events/follow` and `/v1/events/export`. */
export interface EventQuery extends EventFilter {
  from?: number; // offset; absent in follow = only new ones
  limit?: number;
  asWritten?: boolean; // Avro payloads by the schema of their writer
}

/** NDJSON row of an export: it ends with `end`. `nextOffset` is where to go on from. */
export type ExportRow = { kind: 'event'; event: StoredEvent } | { kind: 'at' | 'end'; nextOffset: number };

const text = Type.String({ minLength: 1, maxLength: 10_240 });
const time = Type.Integer({ minimum: 0 });
export const eventFilterFields = {
  selector: Type.Optional(text),
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  key: Type.Optional(Type.String({ maxLength: 256 })),
  lane: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })),
  sinceMs: Type.Optional(time),
  untilMs: Type.Optional(time),
  deviceSinceMs: Type.Optional(time),
  deviceUntilMs: Type.Optional(time),
};

/** Either `offsets` or at least one member of `filter`. */
export const RedactRequestSchema = Type.Object({
  offsets: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000 })),
  /** A field that is not known is refused: what it was to leave out would be redacted. */
  filter: Type.Optional(Type.Object(eventFilterFields, { additionalProperties: false })),
  reason: Type.String({ minLength: 1, maxLength: 512 }),
  /** The operator was told this number; another one is refused. */
  expect: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Count, and change nothing. */
  dryRun: Type.Optional(Type.Boolean()),
});
export type RedactRequest = Static<typeof RedactRequestSchema>;

export interface Redacted {
  /** Rows that were redacted, or would be. */
  events: number;
  /** The first and the last of them. */
  firstOffset?: number;
  lastOffset?: number;
  /** Their bytes are gone from every file of the database; false: another reader held the write-ahead log. */
  erased: boolean;
}
