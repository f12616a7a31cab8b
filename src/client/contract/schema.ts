import { Type, type Static } from 'typebox';

export const RegisterRequestSchema = Type.Object({
  /** In this order; all or none. */
  schemas: Type.Array(
    Type.Object({
      /** What the operator calls it in messages: the file's name. */
      label: Type.String({ minLength: 1, maxLength: 1_024 }),
      /** Avro, as JSON. */
      text: Type.String({ minLength: 1, maxLength: 65_536 }),
    }),
    { minItems: 1, maxItems: 1_000 },
  ),
});
export type RegisterRequest = Static<typeof RegisterRequestSchema>;

export interface EventSchemaFacts {
  /** The event type: the full name of the record. */
  type: string;
  /** Counts the registered ones of a type from 1; absent while unreviewed. */
  version?: number;
  /** `unreviewed`: a device told it, and nobody has registered it. */
  state: 'reviewed' | 'unreviewed';
  /** CRC-64-AVRO, 16 hex digits: says which bytes a payload has. */
  fingerprint: string;
  /** Over the whole JSON: says which schema this is. */
  sha256: string;
  /** Who brought it: an operator, or `device:<id>`. */
  source: string;
  createdAtMs: number;
  reviewedAtMs?: number;
}

export interface EventSchemaDocument extends EventSchemaFacts {
  text: string;
}

/** Events in the log whose schema is not known: they are kept, and readable once it is. */
export interface ParkedEvents {
  /** '' counts those of further fingerprints, which are too many to be told apart. */
  fingerprint: string;
  events: number;
  firstAtMs: number;
  lastAtMs: number;
  /** The first device that sent one. */
  deviceId: string;
  /** Devices that were asked for the schema, and when. */
  asked: Record<string, number>;
}

export interface SchemaList {
  schemas: (EventSchemaFacts & { text?: string })[];
  parked: ParkedEvents[];
}

export interface RegisteredSchemas {
  schemas: (EventSchemaFacts & { label: string; outcome: 'registered' | 'unchanged' })[];
}
