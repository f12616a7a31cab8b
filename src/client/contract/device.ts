import { Type, type Static } from 'typebox';
import { AgentUpdateSchema } from './agent-update.ts';
import { configStates } from './config.ts';
import { RenewalSchema } from './renewal.ts';

/** What the coordinator makes of an identity. */
export const deviceStates = ['pending', 'accepted', 'rejected', 'quarantined', 'revoked'] as const;
export const DeviceStateSchema = Type.Enum(deviceStates);
export type DeviceState = (typeof deviceStates)[number];

export const DeviceSchema = Type.Object({
  id: Type.String(),
  state: DeviceStateSchema,
  connected: Type.Boolean(),
  /** Of the last connect or disconnect; absent if never seen. */
  sinceMs: Type.Optional(Type.Number()),
  address: Type.Optional(Type.String()),
  agentVersion: Type.Optional(Type.String()),
  grains: Type.Record(Type.String(), Type.Unknown()),
  tags: Type.Record(Type.String(), Type.String()),
  running: Type.Optional(
    Type.Object({
      bootId: Type.String(),
      slot: Type.Optional(Type.String()),
      bundleUuid: Type.Optional(Type.String()),
      version: Type.Optional(Type.String()),
    }),
  ),
  certificate: Type.Optional(
    Type.Object({
      serial: Type.String(),
      notAfterMs: Type.Number(),
      provenAtMs: Type.Optional(Type.Number()),
      replacedBy: Type.Optional(Type.String()),
    }),
  ),
  /** A new certificate that is under way. */
  renewal: Type.Optional(RenewalSchema),
  /** Bundles that this device has reverted; no rollout offers them again until cleared. */
  quarantinedBundles: Type.Array(Type.String()),
  /** The last update of its own agent that it was sent. */
  agentUpdate: Type.Optional(AgentUpdateSchema),
  /** Request types that its present agent has announced, each with the highest version. */
  accepts: Type.Optional(Type.Record(Type.String(), Type.Integer())),
  /** Of a quarantined one: who keeps it there, and why. */
  hold: Type.Optional(
    Type.Object({
      by: Type.Enum(['operator', 'clone', 'coordinator', 'connect-hook']),
      reason: Type.String(),
      atMs: Type.Number(),
      /** Of a clone: the histories of the two, and where each came from. */
      instances: Type.Optional(Type.Array(Type.String())),
      addresses: Type.Optional(Type.Array(Type.String())),
    }),
  ),
  /** The history that it writes: 16 hex digits, made with the data folder of its agent. */
  instanceId: Type.Optional(Type.String()),
  /** The only one that is let in, where an operator has said so. */
  pinnedInstance: Type.Optional(Type.String()),
  /** Its last connect that was refused though its identity was good. */
  refused: Type.Optional(Type.Object({ rule: Type.String(), reason: Type.String(), atMs: Type.Number() })),
  /** Its clock against the coordinator's, by the last word of its agent. */
  clock: Type.Optional(
    Type.Object({
      atMs: Type.Number(),
      /** What its agent goes by: its own clock, signed time, or the last time that it knows of. */
      source: Type.Enum(['rtc', 'signed', 'floor']),
      /** Its real-time clock minus the coordinator's time. */
      skewMs: Type.Number(),
      floorMs: Type.Number(),
      refused: Type.Optional(Type.String()),
    }),
  ),
  /** Hardware that was replaced: the device before this one, and the one after it. */
  replaces: Type.Optional(Type.String()),
  replacedBy: Type.Optional(Type.String()),
  /** This device and all that were in its place before, the newest first; absent when there was none. */
  lineage: Type.Optional(Type.Array(Type.String())),
  /** Requests that are held back, and what for. */
  held: Type.Optional(
    Type.Array(
      Type.Object({ type: Type.String(), key: Type.String(), reason: Type.String(), expiresAtMs: Type.Number() }),
    ),
  ),
  /** Its documents of settings. */
  configs: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        state: Type.Enum(configStates),
        reason: Type.Optional(Type.String()),
        version: Type.Optional(Type.Integer()),
        revision: Type.Optional(Type.Integer()),
      }),
    ),
  ),
  traffic: Type.Object({ receivedBytes: Type.Number(), sentBytes: Type.Number() }),
  /** How old what is known of it is; absent before its first connection. */
  freshness: Type.Optional(
    Type.Object({
      /** Of the lane that is furthest behind. */
      asOfMs: Type.Number(),
      lanes: Type.Array(
        Type.Object({
          lane: Type.Integer(),
          /** Rows that the device has written and that are not here, as it last told. */
          lagEvents: Type.Integer(),
          /** By its last report. */
          lagBytes: Type.Optional(Type.Integer()),
          asOfMs: Type.Number(),
        }),
      ),
    }),
  ),
  /** The log on the device, by its last report. */
  log: Type.Optional(
    Type.Object({
      reportedAtMs: Type.Optional(Type.Number()),
      /** Flash wear: since the agent has started. */
      eventsSinceStart: Type.Optional(Type.Integer()),
      writtenBytesSinceStart: Type.Optional(Type.Integer()),
      /** Given up on the device before they were sent, and refused by the coordinator, in the life of its database. */
      droppedRows: Type.Optional(Type.Integer()),
      deadRows: Type.Optional(Type.Integer()),
      /** Numbers that never came. */
      missingRows: Type.Integer(),
      /** Those of them that the device has accounted for, and why. */
      explainedRows: Type.Integer(),
      gapReason: Type.Optional(Type.String()),
      lastGapAtMs: Type.Optional(Type.Number()),
    }),
  ),
});
export type Device = Static<typeof DeviceSchema>;

/** Which devices a mutation is for. Always resolved by the coordinator, always the one selector algorithm. */
export const TargetSchema = Type.Object({ selector: Type.String({ minLength: 1, maxLength: 10_240 }) });

/** `instance`: of one device, this history alone; the way out of a clone. */
export const AcceptRequestSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  instance: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}$' })),
});
export type AcceptRequest = Static<typeof AcceptRequestSchema>;

export const QuarantineRequestSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  reason: Type.String({ minLength: 1, maxLength: 256 }),
});
export type QuarantineRequest = Static<typeof QuarantineRequestSchema>;

export const AllowBundleSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  /** UUID of a bundle, or the id of a release. */
  bundle: Type.String({ minLength: 1, maxLength: 256 }),
});
export type AllowBundle = Static<typeof AllowBundleSchema>;

export const BundleAllowedSchema = Type.Object({
  bundleUuid: Type.String(),
  devices: Type.Array(
    Type.Object({
      deviceId: Type.String(),
      /** The coordinator knew that it had reverted it. */
      wasQuarantined: Type.Boolean(),
      /** Of the order to strike it off the device's own list. `held`: its agent has not announced that it keeps one. */
      state: Type.Enum(['sent', 'waiting', 'held']),
    }),
  ),
});
export type BundleAllowed = Static<typeof BundleAllowedSchema>;

export const ReplaceRequestSchema = Type.Object({
  /** The id of the new hardware. */
  by: Type.String({ minLength: 1, maxLength: 63 }),
  dryRun: Type.Optional(Type.Boolean()),
  /** What the old one has holds where the new one has something else. */
  overwrite: Type.Optional(Type.Boolean()),
});
export type ReplaceRequest = Static<typeof ReplaceRequestSchema>;

export const ReplacementSchema = Type.Object({
  old: Type.String(),
  new: Type.String(),
  /** What the new one has then. */
  tags: Type.Record(Type.String(), Type.String()),
  /** Settings that go over, by name. */
  configs: Type.Array(Type.String()),
  /** What the new one has otherwise. */
  conflicts: Type.Array(Type.String()),
  /** It waited in pending. */
  accepts: Type.Boolean(),
  /** Serial numbers of the old one. */
  revokes: Type.Array(Type.String()),
  /** Requests to the old one that will not happen. */
  ends: Type.Array(Type.String()),
});
export type Replacement = Static<typeof ReplacementSchema>;

/** Orders of the root, as `ca sign-time-reset` has written them. */
export const TimeResetsSchema = Type.Object({
  resets: Type.Array(
    Type.Object({
      fleetId: Type.String({ maxLength: 64 }),
      deviceId: Type.String({ maxLength: 64 }),
      timeMs: Type.Integer({ minimum: 0 }),
      expiresAtMs: Type.Integer({ minimum: 0 }),
      signature: Type.String({ maxLength: 128 }),
    }),
    { minItems: 1, maxItems: 10_000 },
  ),
});
export type TimeResets = Static<typeof TimeResetsSchema>;

export const TimeResetSentSchema = Type.Array(
  Type.Object({
    deviceId: Type.String(),
    /** `held`: its agent has not announced that it takes such orders. */
    state: Type.Enum(['sent', 'waiting', 'held']),
  }),
);
export type TimeResetSent = Static<typeof TimeResetSentSchema>[number];

export const TagChangeSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  set: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }), Type.String({ maxLength: 256 })),
  unset: Type.Array(Type.String()),
});
export type TagChange = Static<typeof TagChangeSchema>;

/** Reply to every verb on a selector: who it was done to. */
export const ChangedSchema = Type.Object({ changed: Type.Array(Type.String()), unchanged: Type.Array(Type.String()) });
export type Changed = Static<typeof ChangedSchema>;

/** NDJSON row of `device watch`: the first rows are the fleet as it is, then each change. */
export type DeviceWatchRow = { kind: 'device'; device: Device } | { kind: 'synced' } | { kind: 'removed'; id: string };
