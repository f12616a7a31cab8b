import { Type, type Static } from 'typebox';
import { JobEventSchema, JobOutcomeSchema, type JobOutcome, type OutputStream } from '../../protocol/event.ts';
import { CommandActionSchema, OperatorActionSchema } from '../../protocol/job-action.ts';

export const HoldSchema = Type.Object({
  forSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 2_592_000 }),
  restore: CommandActionSchema,
  /** Not run again when the agent stopped while it ran; otherwise it is, because a load that stays shed is worse. */
  once: Type.Optional(Type.Boolean()),
});
export type Hold = Static<typeof HoldSchema>;

export const JobRequestSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  action: OperatorActionSchema,
  /** Each device runs `restore` by itself so long after it has started the action. */
  hold: Type.Optional(HoldSchema),
  /** The starts are spread evenly over this time, in an order that is the same every time. */
  rampSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400 })),
  /** Of the action on the device, from its start. */
  timeoutSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** How long it may wait for an offline device. */
  expiresSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** Sliding window: a count or a percentage of the matched devices ("50", "10%"). */
  batch: Type.Optional(Type.String({ pattern: '^[0-9]+%?$' })),
  /** Stop starting devices after so many failures; 1 = --failhard. */
  maxFailures: Type.Optional(Type.Integer({ minimum: 1 })),
  /** A random sample of this size, drawn once. */
  subset: Type.Optional(Type.Integer({ minimum: 1 })),
  maxOutputBytes: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  /** Devices tell what the action writes while it runs, for those who follow the job with its output. */
  follow: Type.Optional(Type.Boolean()),
  /** Returners of coordinator.yaml that get each result, beside those that get every job's. */
  returners: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 32 })),
  /** Refuse above this many matched devices. */
  max: Type.Optional(Type.Integer({ minimum: 1 })),
  /** The operator typed this size; needed above the fleet share that asks for confirmation. */
  expect: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Resolve, check and report, store and send nothing. */
  dryRun: Type.Optional(Type.Boolean()),
});
export type JobRequest = Static<typeof JobRequestSchema>;

/** Of a job's devices, those that ended so. Others are never run again by a retry. */
export const retryOutcomes = ['failed', 'timed-out', 'expired', 'unknown', 'rejected', 'cancelled'] as const;
export const JobRetryRequestSchema = Type.Object({
  outcomes: Type.Array(Type.Enum(retryOutcomes), { minItems: 1, maxItems: retryOutcomes.length }),
  batch: JobRequestSchema.properties.batch,
  maxFailures: JobRequestSchema.properties.maxFailures,
  timeoutSeconds: JobRequestSchema.properties.timeoutSeconds,
  expiresSeconds: JobRequestSchema.properties.expiresSeconds,
  max: JobRequestSchema.properties.max,
  follow: JobRequestSchema.properties.follow,
  expect: JobRequestSchema.properties.expect,
  dryRun: JobRequestSchema.properties.dryRun,
});
export type JobRetryRequest = Static<typeof JobRetryRequestSchema>;

/** Query of `GET /v1/jobs`. */
export const jobQueryFields = {
  state: Type.Optional(Type.Enum(['running', 'finished'])),
  /** `operator:anna`, `local:1000`. */
  submittedBy: Type.Optional(Type.String({ maxLength: 256 })),
  /** Of this schedule. */
  schedule: Type.Optional(Type.String({ maxLength: 256 })),
  sinceMs: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
};
export interface JobListQuery {
  state?: 'running' | 'finished';
  submittedBy?: string;
  schedule?: string;
  sinceMs?: number;
  limit?: number;
}

export const DeviceResultSchema = Type.Object({
  deviceId: Type.String(),
  /**
   * waiting: not in the window yet; queued: to be delivered; delivered: on the device; started: runs; holding: the action
   * has ended as `outcome` says, and the device will run the restoring action by itself.
   */
  state: Type.Union([
    Type.Literal('waiting'),
    Type.Literal('queued'),
    Type.Literal('delivered'),
    Type.Literal('started'),
    Type.Literal('holding'),
    Type.Literal('finished'),
  ]),
  outcome: Type.Optional(JobOutcomeSchema),
  exitCode: Type.Optional(Type.Integer()),
  /** Of `get`: the file that the device has read. */
  file: JobEventSchema.properties.file,
  signal: Type.Optional(Type.String()),
  stdout: Type.Optional(Type.String()),
  stderr: Type.Optional(Type.String()),
  truncatedBytes: Type.Optional(Type.Integer()),
  reason: Type.Optional(Type.String()),
  startedAtMs: Type.Optional(Type.Number()),
  finishedAtMs: Type.Optional(Type.Number()),
  /** When it last told that it runs, and since when its link is lost; by the coordinator's clock. */
  heardAtMs: Type.Optional(Type.Number()),
  lostAtMs: Type.Optional(Type.Number()),
  /** Its place in a ramp, by the coordinator's clock. */
  startAtMs: Type.Optional(Type.Number()),
  /** Of a job with a hold: when the restoring action is due, by the device's clock. */
  returnsAtMs: Type.Optional(Type.Number()),
  /** The restoring action, once it has ended. */
  restore: JobEventSchema.properties.restore,
});
export type DeviceResult = Static<typeof DeviceResultSchema>;

/** What a device has read for a job. */
export const JobFileSchema = Type.Object({
  deviceId: Type.String(),
  sha256: Type.String(),
  sizeBytes: Type.Integer(),
  /** False while pieces are on their way: ask again. */
  complete: Type.Boolean(),
  base64: Type.Optional(Type.String()),
});
export type JobFile = Static<typeof JobFileSchema>;

export const JobSchema = Type.Object({
  id: Type.String(),
  selector: Type.String(),
  action: OperatorActionSchema,
  hold: Type.Optional(HoldSchema),
  rampSeconds: Type.Optional(Type.Number()),
  /** Devices tell what the action writes, while it does. */
  follow: Type.Optional(Type.Literal(true)),
  submittedBy: Type.String(),
  submittedAtMs: Type.Number(),
  expiresAtMs: Type.Number(),
  timeoutSeconds: Type.Number(),
  state: Type.Union([Type.Literal('running'), Type.Literal('finished')]),
  finishedAtMs: Type.Optional(Type.Number()),
  /** Why no further device is started. */
  stopped: Type.Optional(Type.String()),
  /** The job of whose devices these are some. */
  retryOf: Type.Optional(Type.String()),
  /** The schedule that has started it. */
  schedule: Type.Optional(Type.String()),
  /** The rollout whose action it is: its devices begin as that lets them. */
  rollout: Type.Optional(Type.String()),
  returners: Type.Optional(Type.Array(Type.String())),
  matched: Type.Integer(),
  /** Finished devices by outcome, unfinished ones by state. */
  counts: Type.Record(Type.String(), Type.Integer()),
  results: Type.Optional(Type.Array(DeviceResultSchema)), // GET one, not in lists
});
export type Job = Static<typeof JobSchema>;

/** A piece of what an action writes, while it does. The result has all of it, up to the job's cap. */
export interface OutputRow {
  deviceId: string;
  stream: OutputStream;
  /** Bytes of the stream before it, and that it stands for. */
  offset: number;
  bytes: number;
  /** UTF-8, invalid bytes replaced. */
  text: string;
  /** Bytes of the stream before it that are not shown. */
  missedBytes?: number;
  /** This device shows no more of this job before its result. */
  last?: true;
}

/** NDJSON row of following a job; the last row is the finished job. `output` comes to those who ask for it. */
export type JobFollowRow =
  { kind: 'result'; result: DeviceResult } | { kind: 'output'; output: OutputRow } | { kind: 'job'; job: Job };
/** What a device was part of. */
export interface DeviceJob {
  job: Job;
  result: DeviceResult;
}
export type { JobOutcome, OutputStream };
