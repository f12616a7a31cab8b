import { Type, type Static } from 'typebox';
import type { StoredEvent } from './event.ts';

export const consumerNamePattern = '^[a-z0-9][a-z0-9._-]{0,62}$';

/** What a consumer wants of the log; set when it is made, and the same ever after. */
export interface ConsumerFilter {
  selector?: string;
  type?: string;
  key?: string;
  lane?: number;
}

export interface Consumer {
  name: string;
  filter: ConsumerFilter;
  /** Everything that it wants up to here is done with. */
  offset: number;
  /** Rows of the log behind it, wanted or not. */
  lag: number;
  connected: boolean;
  /** Given to its handler and not done with. */
  open: number;
  /** What its handler has not managed so far. */
  tried: { offset: number; letter?: number; attempts: number; lastAtMs: number; error: string }[];
  /** Of the handler that ran last. */
  version?: string;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Query of `GET /v1/consumers/:name/stream` and `…/handle`. A new consumer starts at `from`, or at the first row. */
export interface ConsumerQuery extends ConsumerFilter {
  /** Made up by the reader; a stream with another one takes over. */
  session: string;
  from?: number;
  /** Ends when everything that was in the log at the start was given. */
  once?: boolean;
  /** Rows that may be given and not acknowledged. */
  inFlight?: number;
  /** Of the handler. */
  version?: string;
  /** Milliseconds between attempts at one row: `1000,5000,30000`. */
  backoff?: string;
}

/** NDJSON row of `…/handle`. */
export type HandlerRow =
  /** `attempt` counts those before it, and this one; `letter`: a dead letter that is replayed. */
  | { kind: 'event'; event: StoredEvent; attempt: number; letter?: number }
  /** Set aside without being run again. */
  | { kind: 'dead-letter'; offset: number; letter: number; reason: string }
  | { kind: 'caught-up'; offset: number };

export const AckSchema = Type.Object({ offset: Type.Integer({ minimum: 0 }) });
export const ResetSchema = Type.Object({ offset: Type.Integer({ minimum: 0 }) });

const place = { offset: Type.Integer({ minimum: 1 }), letter: Type.Optional(Type.Integer({ minimum: 1 })) };
const errorText = Type.String({ maxLength: 8_192 });
/** What came of a row that a handler was given. */
export const SettlementSchema = Type.Union([
  Type.Object({ kind: Type.Literal('done'), ...place }),
  Type.Object({ kind: Type.Literal('failed'), ...place, error: errorText, retry: Type.Boolean() }),
  Type.Object({ kind: Type.Literal('crashed'), ...place, error: errorText, stderr: Type.Optional(errorText) }),
  Type.Object({ kind: Type.Literal('released'), ...place }),
]);
export type Settlement = Static<typeof SettlementSchema>;
export const SettleRequestSchema = Type.Object({
  session: Type.String({ minLength: 1, maxLength: 64 }),
  results: Type.Array(SettlementSchema, { minItems: 1, maxItems: 2_000 }),
});
export type SettleRequest = Static<typeof SettleRequestSchema>;
export interface Settled {
  offset: number;
  /** Set aside now. */
  dead: { offset: number; letter: number; reason: string }[];
}
