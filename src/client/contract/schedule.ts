import { Type, type Static } from 'typebox';
import { JobRequestSchema } from './job.ts';

export const scheduleNamePattern = '^[a-z0-9][a-z0-9._-]{0,62}$';

/** When: again and again, or once. */
export const TriggerSchema = Type.Union([
  Type.Object({
    kind: Type.Literal('cron'),
    /** minute hour day-of-month month day-of-week. */
    cron: Type.String({ minLength: 1, maxLength: 256 }),
    /** IANA. */
    zone: Type.String({ minLength: 1, maxLength: 64 }),
  }),
  Type.Object({ kind: Type.Literal('at'), atMs: Type.Integer({ minimum: 0 }) }),
]);
export type Trigger = Static<typeof TriggerSchema>;

/** What of a job a schedule may say; which devices, and whether they are too many, is asked at each firing. */
export const ScheduledJobSchema = Type.Omit(JobRequestSchema, ['expect', 'dryRun']);
export type ScheduledJob = Static<typeof ScheduledJobSchema>;

/** Of a time at which devices still work on the job before: no job, one when that is over, or one at once. */
export const overlapPolicies = ['skip', 'queue', 'allow'] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

export const ScheduleRequestSchema = Type.Object({
  name: Type.String({ pattern: scheduleNamePattern }),
  trigger: Type.Union([
    TriggerSchema,
    /** A wall-clock time in a zone: `2026-12-01T03:00`. */
    Type.Object({
      kind: Type.Literal('at-local'),
      at: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2})?$' }),
      zone: Type.String({ minLength: 1, maxLength: 64 }),
    }),
  ]),
  /** Of firings that the coordinator was not there for: none, or one for all of them. */
  missed: Type.Enum(['skip', 'once']),
  overlap: Type.Optional(Type.Enum(overlapPolicies)),
  job: ScheduledJobSchema,
  /** The operator typed this number of devices, those that match now; it is also the share that later firings may have. */
  expect: JobRequestSchema.properties.expect,
  dryRun: JobRequestSchema.properties.dryRun,
});
export type ScheduleRequest = Static<typeof ScheduleRequestSchema>;

/** What became of a time at which it was due. */
export const FiringSchema = Type.Object({
  dueAtMs: Type.Number(),
  firedAtMs: Type.Number(),
  outcome: Type.Enum(['started', 'refused', 'missed', 'skipped']),
  /** That was started; of `skipped` the one that was still at work. */
  jobId: Type.Optional(Type.String()),
  /** Of `missed`: how many times in a row, this one the first. */
  times: Type.Optional(Type.Integer()),
  error: Type.Optional(
    Type.Object({ code: Type.String(), message: Type.String(), seen: Type.Optional(Type.String()) }),
  ),
});
export type Firing = Static<typeof FiringSchema>;

export const ScheduleSchema = Type.Object({
  name: Type.String(),
  state: Type.Enum(['active', 'paused', 'done']),
  trigger: TriggerSchema,
  missed: Type.Enum(['skip', 'once']),
  overlap: Type.Optional(Type.Enum(overlapPolicies)),
  /** A time whose job waits until the one before is over. */
  waiting: Type.Optional(Type.Object({ dueAtMs: Type.Number() })),
  job: ScheduledJobSchema,
  /** Devices that matched when it was made or confirmed, of so many. */
  expected: Type.Object({ matched: Type.Integer(), fleet: Type.Integer() }),
  createdBy: Type.String(),
  createdAtMs: Type.Number(),
  /** Absent when it will not fire any more, or is paused. */
  nextAtMs: Type.Optional(Type.Number()),
  /** The newest last. */
  firings: Type.Array(FiringSchema),
});
export type Schedule = Static<typeof ScheduleSchema>;

export interface ScheduleTimes {
  name: string;
  zone: string;
  timesMs: number[];
}
