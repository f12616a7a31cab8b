import { Type, type Static } from 'typebox';
import { GateSchema, RolloutPolicySchema } from './rollout-policy.ts';

const exact = { additionalProperties: false } as const;

/** A frozen target, and what was known of it when the plan was made. */
export const PlannedTargetSchema = Type.Object(
  {
    deviceId: Type.String({ minLength: 1, maxLength: 64 }),
    /** From 1. */
    phase: Type.Integer({ minimum: 1 }),
    /** UUID and version of the bundle that it ran. */
    runs: Type.Optional(Type.String({ maxLength: 36 })),
    version: Type.Optional(Type.String({ maxLength: 64 })),
    /** The history that it wrote: another one is another machine, or one that was set up anew. */
    instanceId: Type.Optional(Type.String({ maxLength: 32 })),
    /** Absent when it had none. */
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
    connected: Type.Boolean(),
  },
  exact,
);
export type PlannedTarget = Static<typeof PlannedTargetSchema>;

export const PlannedPhaseSchema = Type.Object(
  {
    /** From 1. */
    id: Type.Integer({ minimum: 1 }),
    name: Type.Optional(Type.String({ maxLength: 64 })),
    devices: Type.Integer(),
    connected: Type.Integer(),
    soakSeconds: Type.Number(),
    gate: Type.Optional(GateSchema),
    /** To fetch without deltas, and with those that are made. */
    wholeBytes: Type.Number(),
    bytes: Type.Number(),
    estimatedSeconds: Type.Number(),
  },
  exact,
);
export type PlannedPhase = Static<typeof PlannedPhaseSchema>;

/**
 * What a rollout would do, to be read by a person and applied later. The coordinator believes nothing of it: it judges
 * the policy anew, and refuses when a device, the release or the file is not what it was.
 */
export const RolloutPlanSchema = Type.Object(
  {
    flotillaPlan: Type.Literal(1),
    plannedAtMs: Type.Number(),
    plannedBy: Type.String({ maxLength: 128 }),
    policy: RolloutPolicySchema,
    /** Absent where the policy names an action. */
    release: Type.Optional(
      Type.Object(
        {
          id: Type.String({ maxLength: 256 }),
          bundleUuid: Type.String({ maxLength: 36 }),
          sha256: Type.String({ maxLength: 64 }),
          sizeBytes: Type.Number(),
        },
        exact,
      ),
    ),
    devices: Type.Integer(),
    wholeBytes: Type.Number(),
    bytes: Type.Number(),
    estimatedSeconds: Type.Number(),
    /** What the estimate takes for granted. */
    assumes: Type.String({ maxLength: 512 }),
    phases: Type.Array(PlannedPhaseSchema, { maxItems: 100 }),
    warnings: Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 }),
    leftOut: Type.Array(
      Type.Object({ deviceId: Type.String({ maxLength: 64 }), why: Type.String({ maxLength: 20_480 }) }, exact),
      { maxItems: 1_000_000 },
    ),
    targets: Type.Array(PlannedTargetSchema, { minItems: 1, maxItems: 1_000_000 }),
    /** SHA-256 of all that stands above. */
    digest: Type.String({ maxLength: 64 }),
  },
  exact,
);
export type RolloutPlan = Static<typeof RolloutPlanSchema>;
