import { Type, type Static } from 'typebox';

/** Where it could not be taken: no frame; not what its type or schema says; its handler; or the device, for a request. */
export const deadLetterLayers = ['frame', 'decode', 'handler', 'device'] as const;
export const deadLetterStates = ['new', 'replayed', 'discarded'] as const;

export interface DeadLetter {
  id: number;
  layer: (typeof deadLetterLayers)[number];
  state: (typeof deadLetterStates)[number];
  deviceId: string;
  instanceId: string;
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestampMs: number;
  receivedAtMs: number;
  code: string;
  reason: string;
  attempts: number;
  firstAtMs: number;
  lastAtMs: number;
  /** Its row of the log, where it has one. */
  offset?: number;
  /** Layer handler: whose, and which version of it. */
  consumer?: string;
  version?: string;
  stderr?: string;
  note?: string;
  /** With one letter, not in lists. */
  payload?: unknown;
}

export interface DeadLetterQuery {
  layer?: string;
  selector?: string;
  type?: string; // a glob
  state?: string;
  consumer?: string;
  sinceMs?: number;
  untilMs?: number;
  limit?: number; // the newest so many
}

const ids = Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 1_000 });
export const ReplayRequestSchema = Type.Object({ ids });
export const DiscardRequestSchema = Type.Object({ ids, note: Type.String({ minLength: 1, maxLength: 512 }) });
export type DiscardRequest = Static<typeof DiscardRequestSchema>;

/** What became of each letter. */
export interface DeadLetterOutcome {
  done: { id: number; layer: string; offset?: number }[];
  failed: { id: number; code: string; message: string }[];
}
