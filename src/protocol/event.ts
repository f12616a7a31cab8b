/**
 * Payloads of the events that every agent sends (type `flotilla.*`, schema 0n: UTF-8 JSON). The coordinator checks
 * each against its schema; one that does not fit is a dead letter, never a crash.
 */
import { Type, type Static } from 'typebox';

const text = (maxLength: number) => Type.String({ maxLength });
const count = () => Type.Integer({ minimum: 0 });
export const DeviceIdSchema = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' });

/** What ran when: read from the machine, never remembered. `bundleUuid` is of the slot that booted. */
export const RunningSchema = Type.Object({
  bootId: text(64),
  slot: Type.Optional(text(16)),
  bundleUuid: Type.Optional(text(36)),
  version: Type.Optional(text(64)),
});
export type Running = Static<typeof RunningSchema>;

/** `flotilla.boot`, lane control: the agent has started. Same boot id as before = only the agent restarted. */
export const BootEventSchema = Type.Object({ running: RunningSchema, agentVersion: text(64) });
export type BootEvent = Static<typeof BootEventSchema>;

/** `flotilla.grains`, lane state: the whole set, sent when it changed. Lane control: of a device that is pending. */
export const GrainsEventSchema = Type.Object({ grains: Type.Record(text(128), Type.Unknown()) });
export type GrainsEvent = Static<typeof GrainsEventSchema>;

/**
 * `flotilla.grains-change`, lane state: what has changed since a report that was acknowledged; only in sessions with
 * `features.grainsChange`. Digests as grain-digest.ts makes them, of the set before and after.
 */
export const GrainsChangeEventSchema = Type.Object({
  base: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  result: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  set: Type.Record(text(128), Type.Unknown()),
  unset: Type.Array(text(128)),
});
export type GrainsChangeEvent = Static<typeof GrainsChangeEventSchema>;

export const jobOutcomes = [
  'succeeded',
  'failed', // the command ran and exited non-zero or by a signal
  'timed-out',
  'expired', // never started: its time was over before it arrived
  'rejected', // the device's policy said no
  'cancelled',
  'unknown', // it started and no outcome survived; never run again by itself
] as const;
export const JobOutcomeSchema = Type.Enum(jobOutcomes);
export type JobOutcome = (typeof jobOutcomes)[number];

/** How an action ended. */
const actionEnd = {
  outcome: Type.Optional(JobOutcomeSchema), // with `held` and `finished`
  exitCode: Type.Optional(Type.Integer()),
  signal: Type.Optional(text(16)),
  stdout: Type.Optional(Type.String()), // UTF-8, invalid bytes replaced
  stderr: Type.Optional(Type.String()),
  truncatedBytes: Type.Optional(Type.Integer({ minimum: 0 })), // output that was not kept
  reason: Type.Optional(text(256)), // of rejected, unknown, spawn failure
  startedAtMs: Type.Optional(Type.Number()),
  finishedAtMs: Type.Optional(Type.Number()),
  /** Of `get`: what comes as `flotilla.job-file`. */
  file: Type.Optional(Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), sizeBytes: count() })),
};

/**
 * `flotilla.job`, lane control, key = job id. `held`: the action of a job with a hold has ended, and the restoring action
 * waits on the device for its time; then `finished` tells of both, and has no outputs of the first one.
 */
export const JobEventSchema = Type.Object({
  jobId: text(64),
  state: Type.Union([Type.Literal('started'), Type.Literal('held'), Type.Literal('finished')]),
  ...actionEnd,
  /** With `held`: when the restoring action is due, by the device's clock. */
  returnsAtMs: Type.Optional(Type.Number()),
  /** With `finished`: the restoring action. */
  restore: Type.Optional(Type.Object(actionEnd)),
});
export type JobEvent = Static<typeof JobEventSchema>;

/** `flotilla.job-beat`, lane state: what runs longer than some seconds, told at a slow rhythm while it does. */
export const JobBeatEventSchema = Type.Object({
  running: Type.Array(Type.Object({ jobId: text(64), startedAtMs: Type.Number() }), { maxItems: 256 }),
});
export type JobBeatEvent = Static<typeof JobBeatEventSchema>;

/** `flotilla.job-file`, lane bulk, key = job id: a piece of the file that a job reads, in order; the last one ends it. */
export const JobFileEventSchema = Type.Object({
  jobId: text(64),
  offset: count(),
  sizeBytes: count(), // of the whole file
  base64: text(262_144),
});
export type JobFileEvent = Static<typeof JobFileEventSchema>;

export const outputStreams = ['stdout', 'stderr'] as const;
export type OutputStream = (typeof outputStreams)[number];

/**
 * `flotilla.job-output`, lane state, key = job id: what a job's action writes, while it does; only after `job.follow`. A
 * view, and never the result: pieces may be left out (the next one's offset tells), and the coordinator stores none.
 */
export const JobOutputEventSchema = Type.Object({
  jobId: text(64),
  pieces: Type.Array(
    Type.Object({
      stream: Type.Enum(outputStreams),
      offset: count(), // of its first byte in the stream
      bytes: count(), // of the stream that it stands for
      text: text(65_536), // UTF-8, invalid bytes replaced
    }),
    { minItems: 1, maxItems: 256 },
  ),
  /** No more is told of this job: as much as a job may tell so was told. */
  last: Type.Optional(Type.Literal(true)),
});
export type JobOutputEvent = Static<typeof JobOutputEventSchema>;

export const updateStates = [
  'idle',
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
  'committed',
  'rolled-back',
  'failed',
  'rejected', // the device will not take it (policy, wrong product, wrong key); never counted as failed
  'cancelled',
] as const;
export type UpdateState = (typeof updateStates)[number];
export const UpdateStateSchema = Type.Enum(updateStates);

export const HealthResultSchema = Type.Object({
  name: text(64),
  ok: Type.Boolean(),
  exitCode: Type.Optional(Type.Integer()),
  durationMs: Type.Number(),
  output: Type.Optional(text(1024)), // the last of it
});
export type HealthResult = Static<typeof HealthResultSchema>;

/** A program of the device's owner that ran at a state of an update. */
export const HookResultSchema = Type.Object({
  state: text(16),
  name: text(64),
  /** `later`: it wants to be asked again. */
  outcome: Type.Enum(['ok', 'failed', 'later']),
  exitCode: Type.Optional(Type.Integer()),
  durationMs: Type.Number(),
  output: Type.Optional(text(1024)), // the last of it
});
export type HookResult = Static<typeof HookResultSchema>;

/** What proves an update, on both sides of the restart. Only this makes a success. */
export const EvidenceSchema = Type.Object({
  before: RunningSchema,
  after: Type.Optional(RunningSchema),
  /** BLAKE2b-256 of the booted slot's bytes, read back from the disk, equals the bundle's resource. */
  slotDigestMatches: Type.Optional(Type.Boolean()),
  /** False: it was kept without a link, by the rule of the device's owner. */
  coordinatorReached: Type.Optional(Type.Boolean()),
  health: Type.Array(HealthResultSchema),
  downloadedBytes: Type.Number(),
  /** The bundle that the installed delta was made from; absent: the whole bundle was fetched. */
  deltaFrom: Type.Optional(text(36)),
  /** Why a delta was given up and the whole bundle fetched. */
  deltaFailed: Type.Optional(text(512)),
  installedAtMs: Type.Optional(Type.Number()),
  testingSinceMs: Type.Optional(Type.Number()),
  decidedAtMs: Type.Optional(Type.Number()),
  /** The last of the hooks that ran. */
  hooks: Type.Optional(Type.Array(HookResultSchema, { maxItems: 16 })),
});
export type Evidence = Static<typeof EvidenceSchema>;

/** Why an update that could go on does not: nothing is wrong, and no silence is meant by it. */
export const UpdateWaitSchema = Type.Object({
  code: text(64),
  message: text(512),
  /** When it is looked at again, as far as the device knows. */
  untilMs: Type.Optional(Type.Number()),
});
export type UpdateWait = Static<typeof UpdateWaitSchema>;

/** `flotilla.update`, lane control, key = rollout id: sent at each persisted state, and when a wait begins or ends. */
export const UpdateEventSchema = Type.Object({
  rolloutId: text(64),
  bundleUuid: text(36),
  state: UpdateStateSchema,
  /** How often this state was entered for this offer; the loop breaker counts it. */
  attempt: Type.Integer({ minimum: 1 }),
  progressBytes: Type.Optional(Type.Number()),
  reason: Type.Optional(Type.Object({ code: text(64), message: text(512) })),
  /** `file`: `rolloutId` is the device's own name for it. `agent`: of its own program, `rolloutId` is the update id. */
  source: Type.Optional(Type.Enum(['file', 'agent'])),
  wait: Type.Optional(UpdateWaitSchema),
  evidence: Type.Optional(EvidenceSchema),
});
export type UpdateEvent = Static<typeof UpdateEventSchema>;

/** `flotilla.log`, lane control: what waits on the device, and what writing it has cost. */
export const LogEventSchema = Type.Object({
  /** By lane, 0 to 3. */
  lanes: Type.Array(
    Type.Object({ nextSeq: Type.Integer({ minimum: 1 }), waitingRows: count(), waitingBytes: count() }),
    {
      minItems: 4,
      maxItems: 4,
    },
  ),
  /** Since the start of this agent; `writtenBytes` is what the kernel counts as sent to the disk, where it tells. */
  sinceStart: Type.Object({ events: count(), writtenBytes: Type.Optional(count()) }),
  /** In the life of this database: given up before they were sent, and refused by the coordinator. */
  droppedRows: count(),
  deadRows: count(),
});
export type LogEvent = Static<typeof LogEventSchema>;

/** `flotilla.gap`, lane control: rows that were given up before the coordinator had them. */
export const GapEventSchema = Type.Object({
  lane: Type.Integer({ minimum: 0, maximum: 3 }),
  fromSeq: Type.Integer({ minimum: 1 }),
  toSeq: Type.Integer({ minimum: 1 }),
  rows: count(),
  bytes: count(),
  reason: Type.Enum(['disk-pressure']),
});
export type GapEvent = Static<typeof GapEventSchema>;

/** `flotilla.accepts`, lane control: request types that this device takes, each with its highest version. */
export const AcceptsEventSchema = Type.Object({
  agentVersion: text(64),
  accepts: Type.Record(text(256), Type.Integer({ minimum: 1 }), { maxProperties: 512 }),
});
export type AcceptsEvent = Static<typeof AcceptsEventSchema>;

const fingerprint = () => Type.String({ pattern: '^[0-9a-f]{16}$' });

/** `flotilla.schema`, lane control, key = fingerprint: the answer to `schema.tell`; no `text`: it is not known here. */
export const SchemaEventSchema = Type.Object({ fingerprint: fingerprint(), text: Type.Optional(text(65_536)) });
export type SchemaEvent = Static<typeof SchemaEventSchema>;

/** Of a document of settings: safe in a path, a URL and a file name. */
export const ConfigNameSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });

/** `flotilla.config`, lane state, key = name: a document as it is on the device. */
export const ConfigEventSchema = Type.Object({
  name: ConfigNameSchema,
  /** The device's own count of changes to this document; 0 with a null document: it has rejected the first one. */
  revision: count(),
  /**
   * The last desired version that it has taken up, 0 for none: the base of what was changed on the device since. Of
   * `rejected` it is the version that it would not take.
   */
  desiredVersion: count(),
  document: Type.Unknown(),
  /** `local`: changed on the device; `rejected`: the product keeps the document that it has, which is told with it. */
  state: Type.Enum(['applied', 'rejected', 'local']),
  reason: Type.Optional(text(512)),
});
export type ConfigEvent = Static<typeof ConfigEventSchema>;

/** `flotilla.reply`, lane control, key = request id: what the product made of a request to it. */
export const ReplyEventSchema = Type.Object({
  requestId: text(64),
  type: text(128),
  outcome: Type.Enum(['done', 'failed', 'expired', 'unknown']),
  value: Type.Optional(Type.Unknown()),
  reason: Type.Optional(text(512)),
});
export type ReplyEvent = Static<typeof ReplyEventSchema>;

/** `flotilla.deadletter`, lane control: a request that this device has given up. */
export const DeadLetterEventSchema = Type.Object({
  type: text(256),
  key: text(256),
  lane: Type.Integer({ minimum: 0, maximum: 3 }),
  seq: Type.Integer({ minimum: 1 }),
  attempts: count(),
  reason: text(512),
});
export type DeadLetterEvent = Static<typeof DeadLetterEventSchema>;

/** `flotilla.history`, lane control, key = outcome: the coordinator has less than it had acknowledged. */
export const HistoryEventSchema = Type.Object({
  outcome: Type.Enum(['coordinator-set-back']),
  /** By lane, 0 to 3: what it had acknowledged, and what it says that it has. */
  lanes: Type.Array(Type.Object({ ackedSeq: count(), cursor: count() }), { minItems: 4, maxItems: 4 }),
});
export type HistoryEvent = Static<typeof HistoryEventSchema>;

/** `flotilla.time`, lane control: what time is it, signed? `time.statement` answers. */
export const TimeEventSchema = Type.Object({
  nonce: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  /** SHA-256 of the signer whose certificates the device has. */
  knows: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
});
export type TimeEvent = Static<typeof TimeEventSchema>;

/** `flotilla.clock`, lane control: what the agent takes the time from, and how far off the machine's own clock is. */
export const ClockEventSchema = Type.Object({
  source: Type.Enum(['rtc', 'signed', 'floor']),
  /** The machine's clock minus what the agent takes the time to be. */
  skewMs: Type.Integer(),
  floorMs: Type.Integer(),
  /** Why it does not take what the coordinator told. */
  refused: Type.Optional(text(256)),
  /** What became of a `time.reset`: `taken`, or why not. */
  reset: Type.Optional(text(256)),
});
export type ClockEvent = Static<typeof ClockEventSchema>;
/** Of a certificate or a request for one: DER in base64, without line breaks. */
export const DerSchema = Type.String({ maxLength: 16_384, pattern: '^[A-Za-z0-9+/]+={0,2}$' });

/** Names one renewal on both sides; made on the device. */
export const RenewalIdSchema = Type.String({ pattern: '^[0-9a-f]{16}$' });

/** `flotilla.certificate-request`, lane control, key = renewal id: the device has made a key and asks for its certificate. */
export const CertificateRequestEventSchema = Type.Object({
  renewalId: RenewalIdSchema,
  /** PKCS#10. */
  csr: DerSchema,
  /** `due`: its certificate has lived most of its life; `asked`: by `certificate.renew`. */
  cause: Type.Enum(['due', 'asked']),
  /** SHA-256 over the DER of the authorities that it trusts, in the order of its file: the same ones are not sent again. */
  authoritySha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type CertificateRequestEvent = Static<typeof CertificateRequestEventSchema>;

/** `flotilla.certificate`, lane control, key = renewal id: what became of it on the device. */
export const CertificateEventSchema = Type.Object({
  renewalId: RenewalIdSchema,
  /** `installed`: a session has proved the new one and the old key is gone; `failed`: the device goes on with the old one. */
  outcome: Type.Enum(['installed', 'failed']),
  /** Of the new certificate, where there was one. */
  serial: Type.Optional(Type.String({ pattern: '^[0-9a-f]{2,40}$' })),
  /** How the certificate came. */
  via: Type.Enum(['link', 'recovery']),
  reason: Type.Optional(Type.Object({ code: text(64), message: text(512) })),
});
export type CertificateEvent = Static<typeof CertificateEventSchema>;

/** `flotilla.receipt`, lane control, key = id: the device's signed word on an update from a file; see pki/update-receipt.ts. */
export const ReceiptEventSchema = Type.Object({
  id: text(64),
  receipt: Type.Object({ body: text(65_536), certificate: text(16_384), signature: text(1_024) }),
});
export type ReceiptEvent = Static<typeof ReceiptEventSchema>;

/** What a receipt says, as JSON in its body. */
export const ReceiptBodySchema = Type.Object({
  version: Type.Literal(1),
  fleetId: text(64),
  deviceId: DeviceIdSchema,
  agentVersion: text(64),
  bundle: Type.Object({ uuid: text(36), product: text(256), version: text(64), sha256: text(64), sizeBytes: count() }),
  event: UpdateEventSchema,
  signedAtMs: Type.Number(),
});
export type ReceiptBody = Static<typeof ReceiptBodySchema>;

/** Event types and the schema of each. */
/** `flotilla.bundle-allowed`, lane control, key = bundle UUID: the device takes this bundle again. `by`: where it was said. */
export const BundleAllowedEventSchema = Type.Object({
  bundleUuid: Type.String({ minLength: 1, maxLength: 36 }),
  by: Type.Enum(['coordinator', 'device']),
});
export type BundleAllowedEvent = Static<typeof BundleAllowedEventSchema>;

export const eventSchemas = {
  'flotilla.boot': BootEventSchema,
  'flotilla.grains': GrainsEventSchema,
  'flotilla.job': JobEventSchema,
  'flotilla.job-beat': JobBeatEventSchema,
  'flotilla.job-file': JobFileEventSchema,
  'flotilla.update': UpdateEventSchema,
  'flotilla.log': LogEventSchema,
  'flotilla.gap': GapEventSchema,
  'flotilla.accepts': AcceptsEventSchema,
  'flotilla.schema': SchemaEventSchema,
  'flotilla.config': ConfigEventSchema,
  'flotilla.reply': ReplyEventSchema,
  'flotilla.deadletter': DeadLetterEventSchema,
  'flotilla.history': HistoryEventSchema,
  'flotilla.time': TimeEventSchema,
  'flotilla.clock': ClockEventSchema,
  'flotilla.certificate-request': CertificateRequestEventSchema,
  'flotilla.certificate': CertificateEventSchema,
  'flotilla.grains-change': GrainsChangeEventSchema,
  'flotilla.receipt': ReceiptEventSchema,
  'flotilla.job-output': JobOutputEventSchema,
  'flotilla.bundle-allowed': BundleAllowedEventSchema,
} as const;
export type BuiltinEventType = keyof typeof eventSchemas;
