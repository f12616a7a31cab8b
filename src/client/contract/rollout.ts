import { Type, type Static } from 'typebox';
import { EvidenceSchema, UpdateWaitSchema } from '../../protocol/event.ts';
import { RolloutActionSchema, StepProofSchema } from './rollout-action.ts';
import { rolloutDeviceStates } from './rollout-device-state.ts';
import {
  CapPerSchema,
  GateSchema,
  OnFailureSchema,
  RampSchema,
  RetrySchema,
  rolloutPolicyFields,
  supersedeRules,
} from './rollout-policy.ts';

/** A policy, and what the operator confirms of it. */
export const RolloutRequestSchema = Type.Object(
  {
    ...rolloutPolicyFields,
    max: Type.Optional(Type.Integer({ minimum: 1 })),
    expect: Type.Optional(Type.Integer({ minimum: 0 })),
    dryRun: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RolloutRequest = Static<typeof RolloutRequestSchema>;

export const RolloutDeviceSchema = Type.Object({
  deviceId: Type.String(),
  phase: Type.Integer(), // from 0
  state: Type.Enum(rolloutDeviceStates),
  sinceMs: Type.Number(),
  progressBytes: Type.Optional(Type.Number()),
  attempts: Type.Integer(),
  /** Failures of it that are tried again. */
  retries: Type.Optional(Type.Integer()),
  /** How often it has lost its connection since the rollout began and was not updated, and since it is proven. */
  lost: Type.Optional(Type.Object({ before: Type.Integer(), after: Type.Integer() })),
  /** It is in the penalty box until then. */
  notBeforeMs: Type.Optional(Type.Number()),
  /** Its value of the grain or tag that limits how many are updated at once. */
  group: Type.Optional(Type.String()),
  /** Where windows are read on its own clock. */
  zone: Type.Optional(Type.String()),
  reason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  /** The device puts the next step off: a deferral, a window, an approval. */
  wait: Type.Optional(UpdateWaitSchema),
  evidence: Type.Optional(EvidenceSchema),
  /** Of an action that brings no release. */
  proof: Type.Optional(StepProofSchema),
});
export type RolloutDevice = Static<typeof RolloutDeviceSchema>;

/** `approval`: all else of its gate is passed. */
export const phaseStates = ['waiting', 'running', 'soaking', 'approval', 'passed', 'failed'] as const;
export const rolloutStates = ['running', 'paused', 'halted', 'aborted', 'completed'] as const;
export const RolloutSchema = Type.Object({
  id: Type.String(),
  /** What it brings, or else what it does. */
  release: Type.Optional(Type.String()),
  bundleUuid: Type.Optional(Type.String()),
  action: Type.Optional(RolloutActionSchema),
  selector: Type.String(),
  state: Type.Enum(rolloutStates),
  /** Why it is paused, halted or aborted. */
  reason: Type.Optional(Type.String()),
  startedAtMs: Type.Number(),
  startedBy: Type.String(),
  endedAtMs: Type.Optional(Type.Number()),
  /** For optimistic locking of pause, resume, abort, approve. */
  revision: Type.Integer(),
  currentPhase: Type.Integer(),
  phases: Type.Array(
    Type.Object({
      name: Type.Optional(Type.String()),
      size: Type.Integer(),
      soakSeconds: Type.Optional(Type.Number()),
      gate: Type.Optional(GateSchema),
      state: Type.Enum(phaseStates),
      /** Failures that were tried again. */
      retries: Type.Optional(Type.Integer()),
      approvedBy: Type.Optional(Type.String()),
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
    maxInFlightPer: Type.Optional(CapPerSchema),
    perMinute: Type.Optional(Type.Integer()),
    ramp: Type.Optional(RampSchema),
    retry: Type.Optional(RetrySchema),
    continuous: rolloutPolicyFields.continuous,
    exclude: rolloutPolicyFields.exclude,
    windows: rolloutPolicyFields.windows,
    device: rolloutPolicyFields.device,
    onFailure: Type.Optional(OnFailureSchema),
    supersede: Type.Optional(Type.Enum(supersedeRules)),
    priority: Type.Optional(Type.Integer()),
  }),
  counts: Type.Record(Type.String(), Type.Integer()),
  devices: Type.Optional(Type.Array(RolloutDeviceSchema)), // GET one, not in lists
});
export type Rollout = Static<typeof RolloutSchema>;
export type RolloutState = (typeof rolloutStates)[number];

export const RolloutChangeSchema = Type.Object({
  reason: Type.Optional(Type.String({ maxLength: 256 })),
  expectedRevision: Type.Optional(Type.Integer()),
  /** Of an abort: `cancel-queued` lets those that are on their way go on. */
  action: Type.Optional(OnFailureSchema),
});
export type RolloutChange = Static<typeof RolloutChangeSchema>;

/** NDJSON row of following a rollout; the last row is the rollout in an ended or halted state. */
export type RolloutFollowRow = { kind: 'device'; device: RolloutDevice } | { kind: 'rollout'; rollout: Rollout };
