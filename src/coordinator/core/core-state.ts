import type { Release } from '../../client/contract/release.ts';
import type {
  AuthorityRow,
  CertificateRow,
  ChallengeRow,
  ConsumerRow,
  DeviceLogRow,
  DeviceRow,
  EnrollmentTokenRow,
  GroupRow,
  LaneCursor,
  MemberRow,
  PreregistrationRow,
  RenewalRow,
  RenewalState,
  OperatorRow,
  SuspectRow,
} from '../../store/row.ts';
import type { JobOutputEvent } from '../../protocol/event.ts';
import type { BundleOffer, DeltaOffer, RequestType } from '../../protocol/request.ts';
import type { Standing } from '../../protocol/message.ts';
import type { TimeSigner } from '../../pki/signed-time.ts';
import type { ConfigDocument } from '../config/config-document.ts';
import type { Connect, ConnectionId } from '../gateway/port.ts';
import type { HookVerdict } from '../hook/connect-hook.ts';
import type { JobDocument, JobState } from '../job/job-state.ts';
import type { Registry } from '../registry/registry.ts';
import { isAnnounced, type Outbox } from '../request/outbox.ts';
import type { ScheduleDocument } from '../schedule/schedule-document.ts';
import type { SchemaState } from './schema-state.ts';
import type { RolloutDocument, RolloutState } from '../rollout/rollout-state.ts';

/** An admitted connection. Presence is only here, in memory. */
export interface LiveConnection {
  connection: ConnectionId;
  gateway: number;
  instanceId: string;
  serial: string;
  connectedAtMs: number;
  /** Anything but `accepted` has the control lane alone. */
  standing: Standing;
  /** Rows of the outbox that were sent on this connection. */
  sent: ReadonlySet<number>;
}

/** A newer connection of another history waits for the older one's sign of life. */
export interface Probe {
  older: ConnectionId;
  newer: Connect;
  /** What the application has said of the newer, where it was asked. */
  application?: HookVerdict;
}

/** A connection that a newer one of the same history has driven out, until it has answered or gone. */
export interface Ghost {
  live: LiveConnection;
  address: string;
}

/** A release and what a device must know to take it. */
export interface StoredRelease {
  release: Release;
  offer: BundleOffer;
  /** One for each bundle that a delta was tried from. */
  deltas?: readonly StoredDelta[];
}

/** A delta bundle that lies beside the whole one, or why there is none. */
export type StoredDelta = { fromUuid: string; triedAtMs: number } & ({ offer: DeltaOffer } | { reason: string });

/**
 * Everything that the core knows. The maps are changed through a Turn only, which can undo it when the commit fails;
 * their values are never changed in place.
 */
export interface CoreState {
  readonly fleetId: string;
  /** Hex; names this coordinator's own log towards the devices. */
  readonly instanceId: string;
  readonly startedAtMs: number;
  /** Signs the time for devices that ask for it. */
  timeSigner?: TimeSigner;
  readonly devices: Map<string, DeviceRow>;
  /** `devices` and `live` as selectors see them. */
  readonly registry: Registry<LiveConnection>;
  readonly certificates: Map<string, CertificateRow>;
  /** By id; issuing ones and registered ones. */
  readonly authorities: Map<string, AuthorityRow>;
  /** By nonce. */
  readonly challenges: Map<string, ChallengeRow>;
  /** Serial numbers of a device's certificates, in order of issue. */
  readonly serials: Map<string, readonly string[]>;
  /** What is stored of each history of a device; the map of a device, too, is changed through a Turn. */
  readonly cursors: Map<string, Map<string, LaneCursor>>;
  readonly outboxes: Map<string, Outbox>;
  readonly requestSeqs: Map<string, LaneCursor>;
  readonly jobs: Map<string, JobState>;
  readonly rollouts: Map<string, RolloutState>;
  /** Of each rollout that goes on: what its recorded steps have told of the registry. */
  readonly rolloutFacts: Map<string, Map<string, unknown>>;
  /** By name. */
  readonly schedules: Map<string, ScheduleDocument>;
  readonly releases: Map<string, StoredRelease>;
  readonly schemas: SchemaState;
  /** Documents of settings, by device and name. */
  readonly configs: Map<string, ReadonlyMap<string, ConfigDocument>>;
  readonly consumers: Map<string, ConsumerRow>;
  /** By name. */
  readonly groups: Map<string, GroupRow>;
  readonly deviceLogs: Map<string, DeviceLogRow>;
  /** When the newest stored row of each lane was written, by device. */
  readonly laneTimes: Map<string, readonly number[]>;
  readonly operators: Map<string, OperatorRow>;
  /** Whose each credential is: the name of the operator. */
  readonly credentials: Map<string, string>;
  /** Events that have stood alone when a process ended: see suspect-operation.ts. */
  readonly suspects: Map<string, SuspectRow>;
  /** When a device sent what is no frame, lately. */
  readonly frameFaults: Map<string, readonly number[]>;
  readonly enrollmentTokens: Map<string, EnrollmentTokenRow>;
  readonly preregistrations: Map<string, PreregistrationRow>;
  /** Device ids by the hash of the key that a manifest names. */
  readonly keyOwners: Map<string, string>;
  /** By device: grains that it may report with these values only. */
  readonly boundGrains: Map<string, Readonly<Record<string, string>>>;
  /** New certificates that are under way, by device. */
  readonly renewals: Map<string, RenewalRow>;
  readonly live: Map<string, LiveConnection>;
  /** By device. */
  readonly probes: Map<string, Probe>;
  readonly ghosts: Map<ConnectionId, Ghost>;
  /** By device: when a ghost has answered. */
  readonly ghostAnswers: Map<string, number[]>;
  /** Also superseded ones, until the gateway reports their end. */
  readonly connections: Map<ConnectionId, string>;
  /** The last number given out of each kind. */
  readonly counters: Map<Counter, number>;
}

/** `revocation` counts within this process alone: it tells that the revocation list is out of date. */
export type Counter = 'offset' | 'request-row' | 'dead-letter' | 'revocation';

/** What followers are told, after the commit. */
export type Change =
  | { kind: 'device'; id: string }
  | { kind: 'device-removed'; id: string }
  | { kind: 'authority'; id: string }
  | { kind: 'renewal'; deviceId: string; state: RenewalState | 'ended' }
  | { kind: 'operator'; name: string }
  | { kind: 'release'; id: string }
  /** The log has grown. */
  | { kind: 'event' }
  | { kind: 'audit' }
  | { kind: 'job'; document: JobDocument }
  | { kind: 'job-device'; member: MemberRow }
  | { kind: 'job-output'; deviceId: string; event: JobOutputEvent }
  | { kind: 'rollout'; document: RolloutDocument }
  | { kind: 'rollout-device'; member: MemberRow };

/** 16 hex digits, as instance ids stand in the store. */
export function instanceHex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0');
}

/** Connected, and not for its operator alone: jobs and offers go to such devices only. */
export function isServed(state: CoreState, deviceId: string): boolean {
  return state.live.get(deviceId)?.standing === 'accepted';
}

/** Has its agent announced this type of request in the version that is sent? Undefined: the one that it runs now has not told. */
export function takesRequest(state: CoreState, deviceId: string, type: RequestType): boolean | undefined {
  const device = state.devices.get(deviceId);
  if (device?.accepts === undefined || device.accepts.agentVersion !== device.agentVersion) return undefined;
  return isAnnounced({ type, payload: '' }, device);
}

export const zeroCursor: LaneCursor = [0, 0, 0, 0];
