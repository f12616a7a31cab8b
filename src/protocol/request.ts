/**
 * Payloads of the requests that a coordinator sends (schema 0n: UTF-8 JSON). The device commits a request to its own
 * log before it acknowledges it, and carries it out at most once, by `(coordinatorInstanceId, lane, seq)`.
 */
import { Type, type Static } from 'typebox';

const text = (maxLength: number) => Type.String({ maxLength });

/** `job.start`, lane control, key = job id. The device refuses it as expired by the coordinator's time (see WELCOME). */
export const JobStartSchema = Type.Object({
  jobId: text(64),
  argv: Type.Array(text(65_536), { minItems: 1, maxItems: 1024 }),
  shell: Type.Boolean(),
  timeoutSeconds: Type.Number({ exclusiveMinimum: 0 }),
  expiresAtMs: Type.Number(),
  maxOutputBytes: Type.Integer({ minimum: 0 }),
  submittedBy: text(128),
});
export type JobStart = Static<typeof JobStartSchema>;

/** `job.cancel`, lane control, key = job id. A job that has not started ends as cancelled, a running one is ended. */
export const JobCancelSchema = Type.Object({ jobId: text(64) });
export type JobCancel = Static<typeof JobCancelSchema>;

/** What a device must know of a bundle before it takes a byte of it. */
export const BundleOfferSchema = Type.Object({
  product: text(128),
  version: text(64),
  platform: Type.Optional(text(128)),
  bundleUuid: text(36),
  sizeBytes: Type.Integer({ minimum: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), // of the whole .fw; also its name for fetching
  partBytes: Type.Integer({ minimum: 4096, maximum: 1_048_576 }), // 262144
  partSha256: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), { maxItems: 65_536 }),
});
export type BundleOffer = Static<typeof BundleOfferSchema>;

/** `update.offer`, lane control, key = rollout id. */
export const UpdateOfferSchema = Type.Object({
  rolloutId: text(64),
  bundle: BundleOfferSchema,
  expiresAtMs: Type.Number(),
});
export type UpdateOffer = Static<typeof UpdateOfferSchema>;

/** `update.cancel`, lane control, key = rollout id. Honoured until `installing`; later the update runs to its end. */
export const UpdateCancelSchema = Type.Object({ rolloutId: text(64), reason: text(256) });
export type UpdateCancel = Static<typeof UpdateCancelSchema>;

/** `grains.refresh`, lane control. */
export const GrainsRefreshSchema = Type.Object({});
export type GrainsRefresh = Static<typeof GrainsRefreshSchema>;

export const requestSchemas = {
  'job.start': JobStartSchema,
  'job.cancel': JobCancelSchema,
  'update.offer': UpdateOfferSchema,
  'update.cancel': UpdateCancelSchema,
  'grains.refresh': GrainsRefreshSchema,
} as const;
export type RequestType = keyof typeof requestSchemas;
export type RequestPayload = { [T in RequestType]: Static<(typeof requestSchemas)[T]> };
