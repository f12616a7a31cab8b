import { Type, type Static } from 'typebox';
import { EvidenceSchema, UpdateWaitSchema } from '../../protocol/event.ts';

/** A phase takes this many of the frozen targets: a count ("2"), a share of all ("25%"), or the rest ("rest"). */
export const PhaseRequestSchema = Type.Object({
  size: Type.String({ pattern: '^([0-9]+%?|rest)$' }),
  /** Only targets that also match this selector may be in this phase. */
  selector: Type.Optional(Type.String({ maxLength: 10_240 })),
  /** How long all successes must stand before the next phase. */
  soakSeconds: Type.Optional(Type.Number({ minimum: 0 })),
});

export const RolloutRequestSchema = Type.Object({
  release: Type.String(), // release id, or product/version when the channel is `stable`
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  phases: Type.Optional(Type.Array(PhaseRequestSchema, { minItems: 1, maxItems: 100 })),
  /** Halt when failures reach this count, or this share of the started devices once `minSample` have ended. */
  maxFailures: Type.Optional(Type.Integer({ minimum: 1 })),
  maxFailureShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  minSample: Type.Optional(Type.Integer({ minimum: 1 })),
  maxInFlight: Type.Optional(Type.Integer({ minimum: 1 })),
  /** How long a device may stay unreachable before it ends as timed-out. */
  deadlineSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  max: Type.Optional(Type.Integer({ minimum: 1 })),
  expect: Type.Optional(Type.Integer({ minimum: 0 })),
  dryRun: Type.Optional(Type.Boolean()),
});
export type RolloutRequest = Static<typeof RolloutRequestSchema>;

export const rolloutDeviceStates = [
  'waiting', // its phase has not begun
  'queued', // may be offered: in-flight cap or offline
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
  'committed', // proven: new boot id, slot, bundle UUID, health, marked good
  'already', // ran the release before it was offered
  'rolled-back',
  'failed',
  'timed-out',
  'rejected',
  'cancelled',
] as const;
export type RolloutDeviceState = (typeof rolloutDeviceStates)[number];

export const RolloutDeviceSchema = Type.Object({
  deviceId: Type.String(),
  phase: Type.Integer(), // from 0
  state: Type.Enum(rolloutDeviceStates),
  sinceMs: Type.Number(),
  progressBytes: Type.Optional(Type.Number()),
  attempts: Type.Integer(),
  reason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  /** The device puts the next step off: a deferral, a window, an approval. */
  wait: Type.Optional(UpdateWaitSchema),
  evidence: Type.Optional(EvidenceSchema),
});
export type RolloutDevice = Static<typeof RolloutDeviceSchema>;

export const rolloutStates = ['running', 'paused', 'halted', 'aborted', 'completed'] as const;
export const RolloutSchema = Type.Object({
  id: Type.String(),
  release: Type.String(),
  bundleUuid: Type.String(),
  selector: Type.String(),
  state: Type.Enum(rolloutStates),
  /** Why it is paused, halted or aborted. */
  reason: Type.Optional(Type.String()),
  startedAtMs: Type.Number(),
  startedBy: Type.String(),
  endedAtMs: Type.Optional(Type.Number()),
  /** For optimistic locking of pause, resume, abort. */
  revision: Type.Integer(),
  currentPhase: Type.Integer(),
  phases: Type.Array(
    Type.Object({
      size: Type.Integer(),
      state: Type.Union([
        Type.Literal('waiting'),
        Type.Literal('running'),
        Type.Literal('soaking'),
        Type.Literal('passed'),
        Type.Literal('failed'),
      ]),
    }),
  ),
  policy: Type.Object({
    /** Of the first phase, when others follow: 1 unless the request named maxFailures. */
    canaryMaxFailures: Type.Integer(),
    maxFailures: Type.Integer(),
    maxFailureShare: Type.Number(),
    minSample: Type.Integer(),
    maxInFlight: Type.Integer(),
    deadlineSeconds: Type.Number(),
  }),
  counts: Type.Record(Type.String(), Type.Integer()),
  devices: Type.Optional(Type.Array(RolloutDeviceSchema)), // GET one, not in lists
});
export type Rollout = Static<typeof RolloutSchema>;
export type RolloutState = (typeof rolloutStates)[number];

export const RolloutChangeSchema = Type.Object({
  reason: Type.Optional(Type.String({ maxLength: 256 })),
  expectedRevision: Type.Optional(Type.Integer()),
});
export type RolloutChange = Static<typeof RolloutChangeSchema>;

/** NDJSON row of following a rollout; the last row is the rollout in an ended or halted state. */
export type RolloutFollowRow = { kind: 'device'; device: RolloutDevice } | { kind: 'rollout'; rollout: Rollout };
