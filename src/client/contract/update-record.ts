import { Type, type Static } from 'typebox';
import { EvidenceSchema } from '../../protocol/event.ts';

export const updateSources = ['rollout', 'file', 'agent'] as const;
export const updateResults = ['committed', 'rolled-back', 'failed', 'rejected', 'cancelled'] as const;

/** How an update of a device ended, with what proves it. */
export const UpdateRecordSchema = Type.Object({
  deviceId: Type.String(),
  /** Of the rollout; of an update from a file what the device calls it; of the agent's own the update id. */
  id: Type.String(),
  /** `rollout`: offered by this coordinator; `file`: installed on the spot; `agent`: of the agent's own program. */
  source: Type.Enum(updateSources),
  /** `committed` only where the evidence holds; a word without it is `failed`. */
  state: Type.Enum(updateResults),
  endedAtMs: Type.Number(),
  recordedAtMs: Type.Number(),
  bundleUuid: Type.Optional(Type.String()),
  product: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  /** What ran before. */
  fromVersion: Type.Optional(Type.String()),
  reason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  evidence: Type.Optional(EvidenceSchema),
  /** The device has signed it: with which certificate, and how it came (`link`, or who brought it). */
  receipt: Type.Optional(Type.Object({ serial: Type.String(), signature: Type.String(), by: Type.String() })),
});
export type UpdateRecord = Static<typeof UpdateRecordSchema>;

export const updateHistoryFields = {
  source: Type.Optional(Type.Enum(updateSources)),
  state: Type.Optional(Type.Enum(updateResults)),
  sinceMs: Type.Optional(Type.Number({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
};
export const UpdateHistoryQuerySchema = Type.Object(updateHistoryFields);
export type UpdateHistoryQuery = Static<typeof UpdateHistoryQuerySchema>;

/** As a device has signed it; see pki/update-receipt.ts. */
export const ReceiptSchema = Type.Object({
  body: Type.String({ minLength: 2, maxLength: 65_536 }),
  certificate: Type.String({ minLength: 1, maxLength: 16_384 }),
  signature: Type.String({ minLength: 1, maxLength: 1_024 }),
});
export type Receipt = Static<typeof ReceiptSchema>;

export const ReceiptTakenSchema = Type.Object({
  /** `known`: it is in the history already, and nothing changed. */
  outcome: Type.Enum(['accepted', 'known']),
  record: UpdateRecordSchema,
});
export type ReceiptTaken = Static<typeof ReceiptTakenSchema>;
