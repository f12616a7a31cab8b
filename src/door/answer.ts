/**
 * What the agent says, one JSON object a line: `ok` or `error` answers the request of that `id`, once; `row` is what
 * follows, any number of times, on a request that watches. `id` is null when a line was no request.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { IdSchema, type Id } from './request.ts';
import type { DoorErrorDocument } from './door-error.ts';

export type Answer<Ok = unknown> = { id: Id; ok: Ok } | { id: Id | null; error: DoorErrorDocument };
export type Pushed<Row = unknown> = { id: Id; row: Row };

const count = () => Type.Integer({ minimum: 0 });

/** Where an event stands in the log; it is on disk. Lanes: 1 alarm, 2 state, 3 bulk. */
export const PublishedSchema = Type.Object({
  lane: Type.Integer({ minimum: 1, maximum: 3 }),
  seq: Type.Integer({ minimum: 1 }),
});
export type Published = Static<typeof PublishedSchema>;

export const StatusSchema = Type.Object({
  /** Of this protocol. */
  door: Type.Literal(1),
  agentVersion: Type.String(),
  deviceId: Type.Optional(Type.String()),
  /** What the agent takes the time from, and how far off the machine's own clock is, in whole minutes. */
  clock: Type.Optional(
    Type.Object({ source: Type.Enum(['rtc', 'signed', 'floor']), skewSeconds: Type.Optional(Type.Integer()) }),
  ),
  link: Type.Object({
    state: Type.Enum(['stopped', 'connecting', 'live', 'held', 'refused', 'waiting']),
    sinceMs: Type.Number(),
    reason: Type.Optional(Type.String()),
  }),
  lanes: Type.Array(
    Type.Object({
      lane: Type.Integer({ minimum: 0, maximum: 3 }),
      nextSeq: Type.Integer({ minimum: 1 }),
      ackedSeq: count(),
      /** Not yet with the coordinator. */
      waitingRows: count(),
      waitingBytes: count(),
    }),
  ),
  /** Types that are encoded by a schema, each with its fingerprint. */
  schemas: Type.Array(Type.Object({ type: Type.String(), fingerprint: Type.String() })),
  /** Schema files that can't be used, and why; events of such a type are refused. */
  schemaFaults: Type.Array(
    Type.Object({ file: Type.String(), type: Type.Optional(Type.String()), reason: Type.String() }),
  ),
  /** `busy`: too much waits for the disk; `full`: the log takes no more. */
  pressure: Type.Enum(['none', 'busy', 'full']),
  /** The update under way, else the last one that ended; absent: none is known. */
  update: Type.Optional(
    Type.Object({
      rolloutId: Type.String(),
      version: Type.String(),
      state: Type.String(),
      sinceMs: Type.Number(),
      reason: Type.Optional(Type.String()),
      /** Why it does not go on just now. */
      wait: Type.Optional(Type.String()),
    }),
  ),
  /** Bundles that this device went back from and does not take until somebody allows it; absent: none. */
  revertedBundles: Type.Optional(
    Type.Array(
      Type.Object({ bundleUuid: Type.String(), version: Type.String(), atMs: Type.Number(), reason: Type.String() }),
    ),
  ),
});
export type DoorStatus = Static<typeof StatusSchema>;
export type Pressure = DoorStatus['pressure'];

const documentState = () => Type.Optional(Type.Enum(['applied', 'rejected', 'local']));
const name = () => Type.String();

/** A configuration document as the device has it. */
export const DocumentSchema = Type.Object({
  name: name(),
  /** Changes on this device; 0: it has none yet, and `document` is null. */
  revision: count(),
  document: Type.Unknown(),
  /** The last desired version that was applied; 0 for none. */
  desiredVersion: count(),
  /** Of the product's last word on it. */
  state: documentState(),
  reason: Type.Optional(Type.String()),
  /** What the operator wants and the product has not decided on yet. */
  desired: Type.Optional(
    Type.Object({ version: Type.Integer({ minimum: 1 }), baseRevision: count(), document: Type.Unknown() }),
  ),
});
export type DeviceDocument = Static<typeof DocumentSchema>;
/** A row of `config.watch`: `desired` is there. */
export type DesiredDocument = DeviceDocument & { desired: NonNullable<DeviceDocument['desired']> };

export const DocumentListSchema = Type.Object({
  documents: Type.Array(
    Type.Object({
      name: name(),
      revision: count(),
      desiredVersion: count(),
      state: documentState(),
      /** The version that waits for the product. */
      pendingVersion: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
  ),
});
export type DocumentList = Static<typeof DocumentListSchema>;

/** A row of `requests.accept`: answer it with `requests.done` or `requests.failed`. */
export const RequestRowSchema = Type.Object({
  requestId: Type.String(),
  type: Type.String(),
  key: Type.String(),
  value: Type.Unknown(),
  /** By the coordinator's clock; an answer after it comes too late. */
  expiresAtMs: Type.Number(),
  /** 2: a program was given it before and went away without an answer; it may have carried it out. */
  attempt: Type.Integer({ minimum: 1, maximum: 2 }),
});
export type RequestRow = Static<typeof RequestRowSchema>;

const codeAndText = { code: Type.String(), message: Type.String() };

/** An update as its device sees it. */
const updateFields = {
  /** Of an update from a file what the device calls it; of the agent's own the update id. */
  rolloutId: Type.String(),
  /** Absent: offered by a rollout. `file`: installed at the device; `agent`: of the agent's own program. */
  source: Type.Optional(Type.Enum(['file', 'agent'])),
  bundleUuid: Type.String(),
  version: Type.String(),
  /** `offered`, `downloading`, `verified`, `installing`, `rebooting`, `testing`, `reverting`, or how it ended. */
  state: Type.String(),
  /** How often it is in that state now. */
  attempt: Type.Integer({ minimum: 1 }),
  sinceMs: Type.Number(),
  sizeBytes: count(),
  downloadedBytes: count(),
  /** Somebody at the device has to approve it before it is installed. */
  needsApproval: Type.Boolean(),
  approvedAtMs: Type.Optional(Type.Number()),
  reason: Type.Optional(Type.Object(codeAndText)),
  /** Why it does not go on just now, and until when, as far as that is known. */
  wait: Type.Optional(Type.Object({ ...codeAndText, untilMs: Type.Optional(Type.Number()) })),
};
export const DeviceUpdateSchema = Type.Object(updateFields);
export type DeviceUpdate = Static<typeof DeviceUpdateSchema>;

const DeferralSchema = Type.Object({ untilMs: Type.Number(), reason: Type.String() });

export const UpdateStatusSchema = Type.Object({
  /** False: the agent's file has no `update:` section. */
  configured: Type.Boolean(),
  update: Type.Optional(DeviceUpdateSchema),
  /** Of the agent's own program: under way, or the last one. */
  agentUpdate: Type.Optional(DeviceUpdateSchema),
  deferral: Type.Optional(DeferralSchema),
  /** What the product said of itself in this boot. */
  productHealth: Type.Optional(Type.Object({ ok: Type.Boolean(), reason: Type.Optional(Type.String()) })),
});
export type UpdateStatus = Static<typeof UpdateStatusSchema>;

const ranSchema = Type.Object({
  bootId: Type.String(),
  slot: Type.Optional(Type.String()),
  bundleUuid: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
});
const checkFields = { name: Type.String(), durationMs: Type.Number(), exitCode: Type.Optional(Type.Integer()) };

/** A past update, or the one under way, with what proves how it went. */
export const UpdateRecordSchema = Type.Object({
  ...updateFields,
  evidence: Type.Object({
    before: ranSchema,
    after: Type.Optional(ranSchema),
    coordinatorReached: Type.Optional(Type.Boolean()),
    slotDigestMatches: Type.Optional(Type.Boolean()),
    health: Type.Array(Type.Object({ ...checkFields, ok: Type.Boolean(), output: Type.Optional(Type.String()) })),
    hooks: Type.Optional(
      Type.Array(
        Type.Object({
          ...checkFields,
          state: Type.String(),
          outcome: Type.Enum(['ok', 'failed', 'later']),
          output: Type.Optional(Type.String()),
        }),
      ),
    ),
    downloadedBytes: count(),
    deltaFrom: Type.Optional(Type.String()),
    deltaFailed: Type.Optional(Type.String()),
    installedAtMs: Type.Optional(Type.Number()),
    testingSinceMs: Type.Optional(Type.Number()),
    decidedAtMs: Type.Optional(Type.Number()),
  }),
});
export type UpdateRecord = Static<typeof UpdateRecordSchema>;

const RevisionSchema = Type.Object({ revision: count() });
/** All types that are announced for this device. */
const TypesSchema = Type.Object({ types: Type.Array(Type.String()) });

/** What is behind `ok`, by the shape of the request. */
export const okSchemas = {
  publish: PublishedSchema,
  'publish rows': Type.Object({ rows: Type.Array(PublishedSchema) }),
  status: StatusSchema,
  watch: StatusSchema,
  'config.list': DocumentListSchema,
  'config.get': DocumentSchema,
  'config.watch': Type.Object({}),
  'config.applied': RevisionSchema,
  'config.rejected': RevisionSchema,
  'config.change': RevisionSchema,
  'requests.accept': TypesSchema,
  'requests.withdraw': TypesSchema,
  'requests.done': Type.Object({}),
  'requests.failed': Type.Object({}),
  'reboot.hold': Type.Object({}),
  'reboot.release': Type.Object({}),
  'update.status': UpdateStatusSchema,
  'update.watch': UpdateStatusSchema,
  'update.history': Type.Object({ updates: Type.Array(UpdateRecordSchema) }),
  'update.install': Type.Object({ update: DeviceUpdateSchema }),
  'update.receipts': Type.Object({
    receipts: Type.Array(Type.Object({ body: Type.String(), certificate: Type.String(), signature: Type.String() })),
  }),
  'update.approve': Type.Object({ update: DeviceUpdateSchema }),
  'update.reject': Type.Object({ update: DeviceUpdateSchema }),
  /** As far as it was granted. */
  'update.defer': Type.Object({ deferral: DeferralSchema }),
  'update.resume': Type.Object({}),
  'health.report': Type.Object({}),
  'time.reset': Type.Object({}),
  /** Whether the device had gone back from it. */
  'bundle.allow': Type.Object({ wasReverted: Type.Boolean() }),
} as const satisfies Record<string, TSchema>;
export type OkOf<Shape extends keyof typeof okSchemas> = Static<(typeof okSchemas)[Shape]>;

export const ErrorAnswerSchema = Type.Object({
  id: Type.Union([IdSchema, Type.Null()]),
  error: Type.Object({
    code: Type.String(),
    fault: Type.String(),
    message: Type.String(),
    seen: Type.Optional(Type.String()),
    expected: Type.Optional(Type.String()),
    suggestion: Type.Optional(Type.String()),
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0 })),
    row: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
});
