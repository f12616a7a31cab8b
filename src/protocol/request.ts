/**
 * Payloads of the requests that a coordinator sends (schema 0n: UTF-8 JSON). The device commits a request to its own
 * log before it acknowledges it, and carries it out at most once, by `(coordinatorInstanceId, lane, seq)`.
 */
import { Type, type Static } from 'typebox';
import { ConfigNameSchema, DerSchema, RenewalIdSchema } from './event.ts';
import { CommandActionSchema, JobActionSchema } from './job-action.ts';

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

/** `job.run`, lane control, key = job id: what `job.start` can't say. The same rules hold. */
export const JobRunSchema = Type.Object({
  jobId: text(64),
  action: JobActionSchema,
  timeoutSeconds: Type.Number({ exclusiveMinimum: 0 }),
  expiresAtMs: Type.Number(),
  maxOutputBytes: Type.Integer({ minimum: 0 }),
  submittedBy: text(128),
  /** Not before, by the coordinator's time: the device's place in a ramp. */
  startAtMs: Type.Optional(Type.Number()),
  /** So long after its start the device runs `restore` by itself, whatever became of the action. */
  hold: Type.Optional(
    Type.Object({
      forSeconds: Type.Number({ exclusiveMinimum: 0 }),
      restore: CommandActionSchema,
      /** `restore` is not run again when the agent stopped while it ran. */
      once: Type.Optional(Type.Boolean()),
    }),
  ),
});
export type JobRun = Static<typeof JobRunSchema>;

/** `job.cancel`, lane control, key = job id. A job that has not started ends as cancelled, a running one is ended. */
export const JobCancelSchema = Type.Object({ jobId: text(64) });
export type JobCancel = Static<typeof JobCancelSchema>;

/** `job.follow`, lane control, key = job id: tell what the job writes while it runs, as `flotilla.job-output`. */
export const JobFollowSchema = Type.Object({ jobId: text(64) });
export type JobFollow = Static<typeof JobFollowSchema>;

/** A file to fetch, verified part by part. */
const filePart = {
  sizeBytes: Type.Integer({ minimum: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), // of the whole .fw; also its name for fetching
  partBytes: Type.Integer({ minimum: 4096, maximum: 1_048_576 }), // 262144
  partSha256: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), { maxItems: 65_536 }),
};
const FileOfferSchema = Type.Object(filePart);
export type FileOffer = Static<typeof FileOfferSchema>;

/** What a device must know of a bundle before it takes a byte of it. */
export const BundleOfferSchema = Type.Object({
  product: text(128),
  version: text(64),
  platform: Type.Optional(text(128)),
  bundleUuid: text(36),
  ...filePart,
});
export type BundleOffer = Static<typeof BundleOfferSchema>;

/** The same bundle with patches in it: for a device that runs `fromUuid`. */
export const DeltaOfferSchema = Type.Object({ fromUuid: text(36), ...filePart });
export type DeltaOffer = Static<typeof DeltaOfferSchema>;

/** Times at which something may begin: by cron, for so long, in an IANA zone or (`device`) in the device's own. */
export const ConductWindowSchema = Type.Object({
  cron: text(128),
  durationSeconds: Type.Integer({ minimum: 1, maximum: 31_536_000 }),
  zone: text(64),
});

const windows = () => Type.Optional(Type.Array(ConductWindowSchema, { maxItems: 32 }));

/**
 * How the device is to go about an update. Beside what its owner has set: of two limits the lower one holds, of two
 * lists of windows each must have an open one.
 */
export const UpdateConductSchema = Type.Object({
  installWindows: windows(),
  rebootWindows: windows(),
  /** Not installed before somebody at the device has approved it. */
  needsApproval: Type.Optional(Type.Boolean()),
  maxBytesPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
  /** How long the device may put the update off, all in all; 0: not at all. */
  deferLimitSeconds: Type.Optional(Type.Number({ minimum: 0 })),
});
export type UpdateConduct = Static<typeof UpdateConductSchema>;

/** `update.offer`, lane control, key = rollout id. */
export const UpdateOfferSchema = Type.Object({
  rolloutId: text(64),
  bundle: BundleOfferSchema,
  /** Less to fetch; agents that do not know it take the whole bundle. */
  delta: Type.Optional(DeltaOfferSchema),
  expiresAtMs: Type.Number(),
  /** From version 2 on: an agent that has announced 1 would not heed it. */
  conduct: Type.Optional(UpdateConductSchema),
  /** From 1, also of version 2: an update that has failed is tried again by an offer of a higher attempt alone. */
  attempt: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type UpdateOffer = Static<typeof UpdateOfferSchema>;

/** `update.cancel`, lane control, key = rollout id. Honoured until `installing`; later the update runs to its end. */
export const UpdateCancelSchema = Type.Object({ rolloutId: text(64), reason: text(256) });
export type UpdateCancel = Static<typeof UpdateCancelSchema>;

/** `grains.refresh`, lane control. */
export const GrainsRefreshSchema = Type.Object({});
export type GrainsRefresh = Static<typeof GrainsRefreshSchema>;

/** `config.desired`, lane control, key = name: what the operator wants a document of this device to be. */
export const ConfigDesiredSchema = Type.Object({
  name: ConfigNameSchema,
  /** Of the desired document, from 1. */
  version: Type.Integer({ minimum: 1 }),
  /** The device's revision that it was made against; 0: none was known. */
  baseRevision: Type.Integer({ minimum: 0 }),
  document: Type.Unknown(),
});
export type ConfigDesired = Static<typeof ConfigDesiredSchema>;

/** `schema.tell`, lane control, key = fingerprint: answer with `flotilla.schema`. */
export const SchemaTellSchema = Type.Object({ fingerprint: Type.String({ pattern: '^[0-9a-f]{16}$' }) });
export type SchemaTell = Static<typeof SchemaTellSchema>;

/** `product.request`, lane control, key = request id: for a program on the device that takes requests of this type. */
export const ProductRequestSchema = Type.Object({
  requestId: text(64),
  type: text(128),
  key: text(256),
  value: Type.Unknown(),
  expiresAtMs: Type.Number(),
});
export type ProductRequest = Static<typeof ProductRequestSchema>;

/** `time.statement`, lane control, key = nonce: the answer to `flotilla.time`. */
export const TimeStatementSchema = Type.Object({
  nonce: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  timeMs: Type.Integer({ minimum: 0 }),
  signature: text(128),
  signer: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  chain: Type.Optional(Type.Array(text(8_192), { minItems: 1, maxItems: 4 })),
});
export type TimeStatementRequest = Static<typeof TimeStatementSchema>;

/** `time.reset`, lane control, key = device id: an order of the root, as `ca sign-time-reset` has written it. */
export const TimeResetSchema = Type.Object({
  fleetId: text(64),
  deviceId: text(64),
  timeMs: Type.Integer({ minimum: 0 }),
  expiresAtMs: Type.Integer({ minimum: 0 }),
  signature: text(128),
});
export type TimeResetRequest = Static<typeof TimeResetSchema>;
/** `certificate.renew`, lane control: make a new key and ask for a certificate, whatever the life of the present one. */
export const CertificateRenewSchema = Type.Object({ cause: Type.Enum(['operator', 'rotation']) });
export type CertificateRenew = Static<typeof CertificateRenewSchema>;

/** `certificate.install`, lane control, key = renewal id: the answer to `flotilla.certificate-request`. */
export const CertificateInstallSchema = Type.Union([
  Type.Object({
    renewalId: RenewalIdSchema,
    certificate: DerSchema,
    /** What to trust from now on; absent: what the device trusts already. */
    authority: Type.Optional(Type.Array(DerSchema, { minItems: 1, maxItems: 16 })),
  }),
  Type.Object({
    renewalId: RenewalIdSchema,
    refused: Type.Object({ code: text(64), message: text(512), retryAfterMs: Type.Integer({ minimum: 0 }) }),
  }),
]);
export type CertificateInstall = Static<typeof CertificateInstallSchema>;

/** `bundle.allow`, lane control, key = bundle UUID: take this bundle again when it is offered, although you went back from it. */
export const BundleAllowSchema = Type.Object({ bundleUuid: text(36) });
export type BundleAllow = Static<typeof BundleAllowSchema>;

/**
 * `agent.offer`, lane control, key = update id: a bundle that carries the agent's own program, to be run in the place of
 * the one that is installed. Answered by `flotilla.update` with the source `agent`; the update id stands in `rolloutId`.
 */
export const AgentOfferSchema = Type.Object({
  updateId: text(64),
  bundle: BundleOfferSchema,
  expiresAtMs: Type.Number(),
});
export type AgentOffer = Static<typeof AgentOfferSchema>;

export const requestSchemas = {
  'job.start': JobStartSchema,
  'job.cancel': JobCancelSchema,
  'update.offer': UpdateOfferSchema,
  'update.cancel': UpdateCancelSchema,
  'grains.refresh': GrainsRefreshSchema,
  'config.desired': ConfigDesiredSchema,
  'schema.tell': SchemaTellSchema,
  'product.request': ProductRequestSchema,
  'time.statement': TimeStatementSchema,
  'time.reset': TimeResetSchema,
  'certificate.renew': CertificateRenewSchema,
  'certificate.install': CertificateInstallSchema,
  'job.run': JobRunSchema,
  'job.follow': JobFollowSchema,
  'bundle.allow': BundleAllowSchema,
  'agent.offer': AgentOfferSchema,
} as const;

/**
 * Of the payloads above: the version that is sent. A device announces the highest that it takes. An `update.offer`
 * without `conduct` is one of version 1, which every agent takes.
 */
export const requestVersions: Readonly<Record<keyof typeof requestSchemas, number>> = {
  'job.start': 1,
  'job.cancel': 1,
  'update.offer': 2,
  'update.cancel': 1,
  'grains.refresh': 1,
  'config.desired': 1,
  'schema.tell': 1,
  'product.request': 1,
  'time.statement': 1,
  'time.reset': 1,
  'certificate.renew': 1,
  'certificate.install': 1,
  'job.run': 1,
  'job.follow': 1,
  'bundle.allow': 1,
  'agent.offer': 1,
};

/** What every agent takes; the others only one that has announced them by `flotilla.accepts`. */
export const alwaysAccepted: ReadonlySet<string> = new Set([
  'job.start',
  'job.cancel',
  'update.offer',
  'update.cancel',
  'grains.refresh',
]);
export type RequestType = keyof typeof requestSchemas;
export type RequestPayload = { [T in RequestType]: Static<(typeof requestSchemas)[T]> };
