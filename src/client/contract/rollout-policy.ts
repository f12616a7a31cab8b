import { Type, type Static } from 'typebox';
import { operatorRoles } from '../../role.ts';
import { WindowSchema } from '../../window/index.ts';
import { RolloutActionSchema } from './rollout-action.ts';

const exact = { additionalProperties: false } as const;
const selector = Type.String({ minLength: 1, maxLength: 10_240 });

/**
 * What a phase must show before the next begins. Shares are of the devices of the phase that were offered it and have
 * ended; those that were cancelled or removed are left out. Both limits include their number: `>=` and `<=`.
 */
export const GateSchema = Type.Object(
  {
    /** At least this share is proven. */
    success: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    /** At most this share has failed; judged at each end, once `minSample` have ended. */
    failure: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
    /** So many must have ended before anything is judged. */
    minSample: Type.Optional(Type.Integer({ minimum: 1 })),
    /**
     * Of its proven devices at least this share of the share that is connected among those that were not updated (all of
     * them, where there are none) is connected when the soak is over.
     */
    connected: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    /**
     * Its proven devices have lost their connections at most so many times as often as before, or as those that were not
     * updated; whichever is more.
     */
    lostConnections: Type.Optional(Type.Number({ minimum: 1, maximum: 1000 })),
    /** Somebody with this role, or an admin, must approve. */
    approval: Type.Optional(Type.Enum(operatorRoles)),
  },
  exact,
);
export type Gate = Static<typeof GateSchema>;

/** A phase takes this many of the frozen targets: a count ("2"), a share of all ("25%"), or the rest ("rest"). */
export const PhaseRequestSchema = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    size: Type.String({ pattern: '^([0-9]+%?|rest)$' }),
    /** Only targets that also match this selector may be in this phase. */
    selector: Type.Optional(Type.String({ maxLength: 10_240 })),
    /** How long all successes must stand before the next phase. */
    soakSeconds: Type.Optional(Type.Number({ minimum: 0 })),
    gate: Type.Optional(GateSchema),
  },
  exact,
);

export type PhaseRequest = Static<typeof PhaseRequestSchema>;

/** At most so many at once for each value of a grain or tag: `G@site`. */
export const CapPerSchema = Type.Object(
  { place: Type.String({ minLength: 2, maxLength: 256 }), count: Type.Integer({ minimum: 1 }) },
  exact,
);

/** Offers a minute grow with success: `from`, times `factor` for each `successes` proven devices. */
export const RampSchema = Type.Object(
  {
    from: Type.Integer({ minimum: 1, maximum: 100_000 }),
    factor: Type.Number({ exclusiveMinimum: 1, maximum: 10 }),
    successes: Type.Integer({ minimum: 1 }),
  },
  exact,
);
export type Ramp = Static<typeof RampSchema>;

/** Failures that are tried again; a device that rejected or reverted it never is. */
export const RetrySchema = Type.Object(
  {
    perDevice: Type.Integer({ minimum: 1, maximum: 10 }),
    /** All retries of a phase together. */
    perPhase: Type.Integer({ minimum: 1 }),
    /** How long a device stays in the penalty box; twice as long each time. */
    backoffSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 604_800 }),
  },
  exact,
);
export type Retry = Static<typeof RetrySchema>;

const seconds = Type.Optional(Type.Number({ exclusiveMinimum: 0 }));

/** How long a device may be silent in each state; what is left out is as the coordinator's configuration says. */
export const TimersSchema = Type.Object(
  {
    offered: seconds,
    downloading: seconds,
    verified: seconds,
    installing: seconds,
    rebooting: seconds,
    testing: seconds,
    /** Of an action that brings no release. */
    running: seconds,
  },
  exact,
);

const windows = Type.Optional(Type.Array(WindowSchema, { minItems: 1, maxItems: 16 }));

/** What a device is asked to keep to; one whose agent does not know of it is not offered the update. */
export const DeviceConductSchema = Type.Object(
  {
    /** Installed only when somebody at the device has approved it. */
    needsApproval: Type.Optional(Type.Boolean()),
    maxBytesPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
    /** How long it may put the update off, all in all; 0: not at all. */
    deferLimitSeconds: Type.Optional(Type.Number({ minimum: 0 })),
  },
  exact,
);

export const failureActions = ['pause', 'cancel-queued', 'cancel-all'] as const;
/** What follows when too many fail or a gate can't be passed. */
export const OnFailureSchema = Type.Union([
  Type.Enum(failureActions),
  /** Ends it, and brings this release to every device that was offered the other. */
  Type.Object({ rollbackTo: Type.String({ minLength: 1, maxLength: 256 }) }, exact),
]);
export type OnFailure = Static<typeof OnFailureSchema>;

export const supersedeRules = ['refuse', 'queue', 'replace'] as const;

/** A rollout as a person writes it down. */
export const rolloutPolicyFields = {
  /** A release id, or product/version when the channel is `stable`. Either this or `action`. */
  release: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  action: Type.Optional(RolloutActionSchema),
  selector,
  /** These are left out. */
  exclude: Type.Optional(selector),
  /** Devices that match later join its last phase; it goes on until it is aborted. */
  continuous: Type.Optional(Type.Boolean()),
  phases: Type.Optional(Type.Array(PhaseRequestSchema, { minItems: 1, maxItems: 100 })),
  /** Halt when failures reach this count, or this share of the started devices once `minSample` have ended. */
  maxFailures: Type.Optional(Type.Integer({ minimum: 1 })),
  maxFailureShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  minSample: Type.Optional(Type.Integer({ minimum: 1 })),
  maxInFlight: Type.Optional(Type.Integer({ minimum: 1 })),
  maxInFlightPer: Type.Optional(CapPerSchema),
  /** Offers in any 60 seconds. */
  perMinute: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
  ramp: Type.Optional(RampSchema),
  retry: Type.Optional(RetrySchema),
  timers: Type.Optional(TimersSchema),
  /** How long a device may stay unreachable before it ends as timed-out. */
  deadlineSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** Offered only while one of these is open; installed and restarted, as the device judges, in those of its own. */
  windows: Type.Optional(Type.Object({ offer: windows, install: windows, reboot: windows }, exact)),
  device: Type.Optional(DeviceConductSchema),
  onFailure: Type.Optional(OnFailureSchema),
  /** When another rollout has a target: refuse to start, wait for its end, or take it over. */
  supersede: Type.Optional(Type.Enum(supersedeRules)),
  /** Of several rollouts that wait for a device the highest is first, then the oldest. */
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
};

export const RolloutPolicySchema = Type.Object(rolloutPolicyFields, exact);
export type RolloutPolicy = Static<typeof RolloutPolicySchema>;
