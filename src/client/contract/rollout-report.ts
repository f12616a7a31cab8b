import { Type, type Static } from 'typebox';
import { rolloutDeviceStates } from './rollout-device-state.ts';
import { RolloutDeviceSchema, RolloutSchema, rolloutStates } from './rollout.ts';

/** What happened to a rollout, or to one of its phases. */
export const RolloutMilestoneSchema = Type.Object({
  atMs: Type.Number(),
  /** From 0; absent: the rollout as a whole. */
  phase: Type.Optional(Type.Integer()),
  state: Type.Union([
    Type.Enum(rolloutStates),
    Type.Literal('waiting'),
    Type.Literal('soaking'),
    Type.Literal('approval'),
    Type.Literal('passed'),
    Type.Literal('failed'),
  ]),
  reason: Type.Optional(Type.String()),
});
export type RolloutMilestone = Static<typeof RolloutMilestoneSchema>;

const SpreadSchema = Type.Object({
  count: Type.Integer(),
  p50Ms: Type.Number(),
  p90Ms: Type.Number(),
  p99Ms: Type.Number(),
  maxMs: Type.Number(),
});
/** Percentiles by nearest rank: each is a duration that a device really had. */
export type Spread = Static<typeof SpreadSchema>;

/** Devices that ended for one cause, or wait for one. */
export const RolloutCauseSchema = Type.Object({
  state: Type.Enum(rolloutDeviceStates),
  code: Type.String(),
  /** Of the first of them. */
  message: Type.String(),
  count: Type.Integer(),
  devices: Type.Array(Type.String()),
});
export type RolloutCause = Static<typeof RolloutCauseSchema>;

export const RolloutReportSchema = Type.Object({
  version: Type.Literal(1),
  atMs: Type.Number(),
  rollout: RolloutSchema,
  /** From its start to its end, or to `atMs`. */
  durationMs: Type.Number(),
  targets: Type.Integer(),
  /** Were offered the release. */
  touched: Type.Integer(),
  succeeded: Type.Integer(),
  /** Ended badly after they were offered the release: failed, rolled-back, timed-out. */
  failed: Type.Integer(),
  phases: Type.Array(
    Type.Object({
      size: Type.Integer(),
      state: Type.String(),
      startedAtMs: Type.Optional(Type.Number()),
      endedAtMs: Type.Optional(Type.Number()),
      counts: Type.Record(Type.String(), Type.Integer()),
    }),
  ),
  /** The oldest first; the oldest are dropped when there are more than a thousand. */
  timeline: Type.Array(RolloutMilestoneSchema),
  causes: Type.Array(RolloutCauseSchema),
  bytes: Type.Object({
    bundleBytes: Type.Integer(),
    /** What was fetched by the devices' own account. */
    fetchedBytes: Type.Number(),
    /** What the same devices would have fetched if there were no deltas. */
    withoutDeltaBytes: Type.Number(),
    wholeDevices: Type.Integer(),
    deltaDevices: Type.Integer(),
    /** Fell back from a delta to the whole bundle. */
    deltaFailed: Type.Integer(),
  }),
  /** In each state, and as `whole` from the offer to the end; of the last try of each device. */
  durations: Type.Record(Type.String(), SpreadSchema),
  /** When devices ended: `succeeded` and `failed` are counted up to `atMs`; at most 200 points. */
  progress: Type.Array(Type.Object({ atMs: Type.Number(), succeeded: Type.Integer(), failed: Type.Integer() })),
  devices: Type.Array(RolloutDeviceSchema),
});
export type RolloutReport = Static<typeof RolloutReportSchema>;
