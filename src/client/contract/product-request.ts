import { Type, type Static } from 'typebox';

/** What an operator asks a program on a device; the device has to have announced the type. */
export const ProductRequestBodySchema = Type.Object({
  type: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,99}$' }),
  key: Type.String({ maxLength: 256 }),
  value: Type.Unknown(),
  /** How long until an answer comes too late. */
  expiresSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 31_536_000 })),
});
export type ProductRequestBody = Static<typeof ProductRequestBodySchema>;

/** It is stored, and reaches the device when that comes and takes the type. */
export interface SentRequest {
  requestId: string;
  deviceId: string;
  type: string;
  key: string;
  expiresAtMs: number;
  /** Its reply stands behind this offset of the event log. */
  afterOffset: number;
}

/**
 * What became of it: an event of the log whose key is the request's id. The device's own word is `flotilla.reply`; where
 * it can't have one, because the request never reached it, the coordinator's is `coordinator.reply`.
 */
export const replyTypes = ['flotilla.reply', 'coordinator.reply'] as const;
export interface RequestReply {
  requestId: string;
  type: string;
  outcome: 'done' | 'failed' | 'expired' | 'unknown';
  value?: unknown;
  reason?: string;
}
