import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { PayloadReader } from '../../eventlog/schema/index.ts';
import type { Profiles } from '../../config/profile-file.ts';
import type { AuthorityKeeper } from '../authority/keeper.ts';
import type { CheckpointKeeper } from '../audit/checkpoint-keeper.ts';
import type { RefusalLog } from '../audit/refusal-log.ts';
import { writeAudit } from '../audit/write-audit.ts';
import type { Core } from '../core/core.ts';
import type { EnrollGate } from '../hook/enroll-gate.ts';
import type { Turn } from '../core/turn.ts';
import type { ListPublisher } from '../revocation/publish.ts';
import type { ConnectGate } from '../hook/connect-gate.ts';
import type { JobPolicy, PlanContext } from '../job/plan-job.ts';
import type { Caller } from '../operator/caller.ts';
import type { LiveConnections } from '../operator/live-connections.ts';
import type { RenewalPolicy } from '../renewal/reduce-renewal.ts';
import type { TimerPolicy } from '../rollout/rollout-state.ts';
import type { ConsumerStreams } from './consumer-streams.ts';

/**
 * What the verbs of the API work with: the coordinator's parts, and who asks. The API makes one for each request; the
 * coordinator's own is its user's.
 */
export interface ServiceContext extends Caller {
  core: Core;
  clock: Clock;
  fleetId: string;
  version: string;
  jobs: JobPolicy;
  /** Where results of jobs go. */
  returners: NonNullable<PlanContext['returners']>;
  rolloutTimers: TimerPolicy;
  renewal: RenewalPolicy;
  /** Reads Avro payloads by what the registry holds at that time. */
  payloads: PayloadReader;
  /** What signs at this moment; after a rotation it is another one. */
  readonly issuing: IssuingAuthority;
  /** The files of the authorities. */
  authorities: AuthorityKeeper;
  /** Read anew each time: a person edits them. */
  loadProfiles(): Promise<Profiles>;
  revocationList: ListPublisher;
  /** Where published bundles lie, named by their SHA-256. */
  blobDirectory: string;
  /** Folder of the `*.pub` keys that a bundle must be signed with. */
  keyDirectory: string;
  listen: { host: string; port: number };
  /** Where operators connect from elsewhere. */
  apiListen(): ApiListen;
  /** The longest life of a token. */
  maxTokenSeconds: number;
  /** Of operators, open now. */
  connections: LiveConnections;
  /** Where devices enroll, as they are told; absent when nobody may. */
  enrollment?: { host: string; port: number; gate?: EnrollGate };
  /** Of the recovery port; undefined: there is none. */
  recoveryPort(): number | undefined;
  gatewayPids(): number[];
  /** Uniform in [0, 1). */
  random(): number;
  /** A new id that starts with this letter. */
  newId(prefix: 'a' | 'j' | 'q' | 'r' | 't'): string;
  streams: ConsumerStreams;
  /** Where the application is asked about connects. */
  gate?: ConnectGate | undefined;
  /** Dead letters that somebody decides on at this moment. */
  deciding: Set<number>;
  auditHeads: CheckpointKeeper;
  refusals: RefusalLog;
  /** Begins the shutdown; returns at once. */
  shutdown(): void;
}

export interface ApiListen {
  certificate?: { host: string; port: number };
  token?: { host: string; port: number };
}

export interface IssuingAuthority {
  /** `issuing-<n>`: certificates name it as their issuer. */
  id: string;
  fleetId: string;
  commonName: string;
  certificatePem: string;
  privateKey: KeyObject;
  /** What a device must trust: issuing and root certificate, PEM. */
  bundlePem: string;
}

/**
 * Every mutation leaves a row; it is part of the same transaction.
 * @param devices those it touches; left out: the subject, where that is a device by the name of the action
 */
export function audit(
  turn: Turn,
  context: Caller,
  action: string,
  subject: string,
  detail: unknown,
  devices: readonly string[] = aboutDevice.test(action) && turn.state.devices.has(subject) ? [subject] : [],
): void {
  // A service may act for a device or a token, which have no role.
  const role = isOperator.test(context.actor) ? context.role : '';
  writeAudit(turn, { actor: context.actor, role, from: context.from }, { action, subject, detail, devices });
}

const isOperator = /^(local|operator):/;
const aboutDevice = /^(device|certificate)\./;
