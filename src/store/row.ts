/** Rows as the store keeps them. Plain data that survives a structured clone; instance ids and schemas are hex text. */
import type { AgentUpdateRow } from './agent-update-row.ts';
import type { CertificateFactsRow } from './certificate-row.ts';

export type { BoundGrainRow, EnrollmentTokenRow, PreregistrationRow } from './enrollment-row.ts';
export type { CredentialRow, OperatorRow } from './operator-row.ts';

/** Seq per lane, the highest that is stored; lanes 0 to 3. */
export type LaneCursor = readonly [number, number, number, number];

export interface RunningRow {
  bootId: string;
  slot?: string;
  bundleUuid?: string;
  version?: string;
}

export interface DeviceRow {
  id: string;
  /** One of `deviceStates` of the contract. */
  state: 'pending' | 'accepted' | 'rejected' | 'quarantined' | 'revoked';
  createdAtMs: number;
  /** Of the last connect or disconnect. */
  sinceMs?: number;
  address?: string;
  agentVersion?: string;
  /** The history that it writes now; others stay in the cursor table. */
  instanceId?: string;
  grains: Record<string, unknown>;
  tags: Record<string, string>;
  running?: RunningRow;
  /** The certificate that it last proved itself with. */
  serial?: string;
  /** A valid certificate that is not on record, shown at a refused connect; `accept` puts it on record. */
  candidate?: CertificateFactsRow;
  quarantinedBundles: string[];
  /** What it has announced that it takes; holds for that version of its agent alone. */
  accepts?: AcceptsRow;
  receivedBytes: number;
  sentBytes: number;
  /** Why it is quarantined. */
  hold?: HoldRow;
  /** Set by an operator: other histories of this identity are refused. */
  pin?: string;
  /** Its last connect that was refused though its identity was good. */
  refused?: RefusedRow;
  /** How its clock stands, by its last word on it. */
  clock?: ClockRow;
  agentUpdate?: AgentUpdateRow;
  /** The device whose place it has taken, and the one that has taken its place. */
  replaces?: string;
  replacedBy?: string;
}

/** Who keeps a device in quarantine, and why. */
export interface HoldRow {
  by: 'operator' | 'clone' | 'coordinator' | 'connect-hook';
  reason: string;
  atMs: number;
  /** Of a clone: both histories and where each came from. */
  instances?: readonly string[];
  addresses?: readonly string[];
}

export interface RefusedRow {
  rule: string;
  reason: string;
  atMs: number;
}

/** The clock of a device against the coordinator's. */
export interface ClockRow {
  atMs: number;
  /** What its agent goes by. */
  source: 'rtc' | 'signed' | 'floor';
  /** Its real-time clock minus the coordinator's time. */
  skewMs: number;
  /** Time that it never goes behind. */
  floorMs: number;
  /** It has refused what the coordinator told: only a root-signed reset helps. */
  refused?: string;
}

/** Request types by their highest version; a product's own stand as `product.request:<type>`. */
export interface AcceptsRow {
  agentVersion: string;
  types: Record<string, number>;
}

export * from './certificate-row.ts';

export interface CursorRow {
  deviceId: string;
  instanceId: string;
  lane: number;
  seq: number;
  /** When the last of these rows was written: by the device's clock, but not later than it came. */
  atMs: number;
}

export interface EventRow {
  /** From 1, without gaps; given out by the core. */
  offset: number;
  /** '' for the coordinator's own. */
  deviceId: string;
  instanceId: string;
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestampMs: number;
  receivedAtMs: number;
  /** Hex of the schema's fingerprint; absent = UTF-8 JSON. */
  schema?: string;
  payload: Uint8Array;
  /** Key and payload were taken out by an operator. */
  redacted?: RedactionRow;
}

/** Rows of a lane that came together: one write, a row of the log each. */
export interface EventBlockRow {
  firstOffset: number;
  deviceId: string;
  instanceId: string;
  lane: number;
  /** Of the block's first row, left out or not. */
  firstSeq: number;
  /** Rows at the beginning that are stored already. */
  skip: number;
  count: number;
  receivedAtMs: number;
  /** See `writePackedRows`. */
  bytes: Uint8Array;
}

/** Which rows of the log a consumer wants. */
export interface ConsumerFilter {
  selector?: string;
  /** GLOB. */
  type?: string;
  key?: string;
  lane?: number;
}

/** An event that a handler has not managed, or a dead letter that is to be given to it again. */
export interface TriedRow {
  offset: number;
  /** The dead letter that is replayed. */
  letter?: number;
  /** Times that the handler ended while it had this event; counted before it is given the event alone. */
  crashes: number;
  /** It was given alone, and nothing is known of what came of it. */
  begun?: boolean;
  /** Times that the handler said no. */
  failures: number;
  firstAtMs: number;
  lastAtMs: number;
  error: string;
}

/** A selector that others name: `N@name`. */
export interface GroupRow {
  name: string;
  expression: string;
  changedBy: string;
  createdAtMs: number;
  changedAtMs: number;
}

/** How far a reader of the log has come; kept under a name. */
export interface ConsumerRow {
  name: string;
  filter: ConsumerFilter;
  /** Everything that it wants up to here is done with. */
  offset: number;
  /** Rows up to here may have been given to its handler. */
  given: number;
  /** Those of them that are not done with, in order. */
  open: readonly number[];
  tried: readonly TriedRow[];
  /** Of the handler that ran last. */
  version?: string;
  createdAtMs: number;
  updatedAtMs: number;
}

export const deadLetterLayers = ['frame', 'decode', 'handler', 'device'] as const;
export type DeadLetterLayer = (typeof deadLetterLayers)[number];
export const deadLetterStates = ['new', 'replayed', 'discarded'] as const;
export type DeadLetterState = (typeof deadLetterStates)[number];

/** What could not be taken: parked with its bytes and the reason, while its lane moves on. */
export interface DeadLetterRow extends Omit<EventRow, 'offset'> {
  id: number;
  layer: DeadLetterLayer;
  code: string;
  reason: string;
  attempts: number;
  firstAtMs: number;
  lastAtMs: number;
  state: DeadLetterState;
  /** Of the operator who decided on it. */
  note?: string;
  /** Its row of the log, where it has one. */
  offset?: number;
  /** Layer handler: who could not manage it. */
  consumer?: string;
  version?: string;
  /** The last that the handler wrote on stderr. */
  stderr?: string;
}

export interface RedactionRow {
  by: string;
  reason: string;
  atMs: number;
}

/** An event of a batch during which the coordinator's process ended; `attempts` counts the times it stood alone. */
export interface SuspectRow {
  deviceId: string;
  instanceId: string;
  lane: number;
  seq: number;
  attempts: number;
}

/** What is known of the log on a device. */
export interface DeviceLogRow {
  deviceId: string;
  /** The history that `nextSeq` and `report` are of. */
  instanceId: string;
  /** By lane, as the device last told it, and when. */
  nextSeq: readonly number[];
  toldAtMs: number;
  report?: {
    atMs: number;
    waitingBytes: readonly number[];
    sinceStart: { events: number; writtenBytes?: number };
    droppedRows: number;
    deadRows: number;
  };
  /** Numbers that never came: by `coordinator.gap`; and what the device has said that it gave up: by `flotilla.gap`. */
  missing?: { rows: number; lastAtMs: number };
  dropped?: { rows: number; bytes: number; lastAtMs: number; reason: string };
}

/** A request to a device, until the device has committed it. */
export interface RequestRow {
  /** Order of submission over all devices. */
  row: number;
  deviceId: string;
  lane: number;
  /** Undefined until it is first sent; contiguous per device, instance and lane. */
  seq?: number;
  type: string;
  key: string;
  /** JSON text. */
  payload: string;
  createdAtMs: number;
  expiresAtMs: number;
}

/** What names a request and says where it stands in its device's lane. */
export type RequestPlace = Pick<RequestRow, 'row' | 'deviceId' | 'lane' | 'seq'>;

/** State of a job or rollout as one JSON document; its devices are rows of their own. */
export interface DocumentRow {
  id: string;
  /** False once nothing can change any more: such rows are not loaded at start. */
  active: boolean;
  startedAtMs: number;
  document: unknown;
}

export interface MemberRow {
  parentId: string;
  position: number;
  deviceId: string;
  document: unknown;
  /** Large and never needed to continue (output of a command); kept when a later write has none. */
  output?: unknown;
}

export interface ScheduleRow {
  name: string;
  document: unknown;
}

export interface ReleaseRow {
  id: string;
  sha256: string;
  publishedAtMs: number;
  document: unknown;
}

export interface SchemaRow {
  /** Over the whole JSON with its keys sorted: says which schema this is. */
  sha256: string;
  /** CRC-64-AVRO, 16 hex digits: says which bytes a payload has. Several schemas may share it. */
  fingerprint: string;
  /** The event type: the full name of the record. */
  type: string;
  /** Counts the reviewed ones of a type from 1; absent while unreviewed. */
  version?: number;
  /** `unreviewed`: a device told it, and no operator has registered it. */
  state: 'reviewed' | 'unreviewed';
  /** Who brought it: an operator, or `device:<id>`. */
  source: string;
  text: string;
  createdAtMs: number;
  reviewedAtMs?: number;
}

/** Events that wait in the log for a schema that is not known. */
export interface ParkedRow {
  fingerprint: string;
  events: number;
  firstAtMs: number;
  lastAtMs: number;
  /** The first that sent one. */
  deviceId: string;
  /** When which device was asked for it. */
  asked: Record<string, number>;
}

/** A device's document of settings, whole. */
export interface ConfigRow {
  deviceId: string;
  name: string;
  document: unknown;
}

/** The authority that every fleet begins with. */
export const firstAuthorityId = 'issuing-1';

/**
 * An authority that signs what devices show. `issuing`: below this fleet's root, its key is here; `requested` (its key
 * is made, its certificate is not) → `active` (signs) → `overlap` (signs no more, is trusted) → `retired`.
 * `registered`: somebody else's; `trusted` → `removed`. A row is never deleted: certificates name it.
 */
export interface AuthorityRow {
  id: string;
  kind: 'issuing' | 'registered';
  state: 'requested' | 'active' | 'overlap' | 'retired' | 'trusted' | 'removed';
  /** Its certificate, and behind it those above it that must be trusted with it. Empty while requested. */
  pem: string;
  /** Hex; empty while requested. */
  fingerprintSha256: string;
  createdAtMs: number;
  /** Since when it has signed. */
  activeAtMs?: number;
  /** While requested: how long the authority before it stays trusted. */
  overlapMs?: number;
  /** In overlap: when it will be retired. */
  retireAtMs?: number;
  /** Retired or removed. */
  endedAtMs?: number;
  /** Its key is known to somebody else: nothing that it signed is worth anything any more. */
  compromised?: boolean;
  /** Registered: what its certificates become; a copy of the profile, as it was when it was registered. */
  registration?: RegistrationRow;
}

/** How a certificate of a registered authority becomes a device. */
export interface RegistrationRow {
  profile: string;
  /** Template of the device id, such as `acme-{cn}`. */
  deviceId: string;
  arrival: 'pending' | 'accepted';
  tags: Record<string, string>;
  /** `ec-p256`, `rsa-2048` and better, …; see the key kinds of a profile. */
  keyKinds: string[];
  /** A new certificate with the same names takes the place of the one before. */
  renewable: boolean;
  maxValidityDays?: number;
}

/** What the owner of an authority must sign to prove that he has its key. Used once. */
export interface ChallengeRow {
  nonce: string;
  actor: string;
  createdAtMs: number;
  expiresAtMs: number;
}

/** How an update of a device ended; the document is the API's UpdateRecord. */
export interface UpdateRecordRow {
  deviceId: string;
  /** Of the rollout, or what the device calls an update that nobody offered. */
  id: string;
  endedAtMs: number;
  document: unknown;
}
