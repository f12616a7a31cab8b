/** What the gateways tell: connects, acknowledgements, disconnects. Each becomes changes of the state. */
import type { Lane } from '../../protocol/lane.ts';
import type { LaneCursor } from '../../store/row.ts';
import { auditRule } from '../audit/write-audit.ts';
import type { Connect, ConnectionId, Traffic } from '../gateway/port.ts';
import type { Standing } from '../../protocol/message.ts';
import {
  retryAfter,
  admissionOf,
  judgeAgent,
  judgeIdentity,
  judgeInstance,
  judgePin,
  type Refusal,
  type Verdict,
} from '../identity/judge-connect.ts';
import type { ConnectQuestion, HookVerdict } from '../hook/connect-hook.ts';
import { defaultRenewalPolicy, type RenewalPolicy } from '../renewal/reduce-renewal.ts';
import { newDevice } from '../registry/reduce-device.ts';
import { quarantineClones, suspectClone, takeProbe } from './clone-operation.ts';
import { instanceHex, zeroCursor, type LiveConnection } from './core-state.ts';
import { loseConfigs, resendConfigs } from './config-operation.ts';
import { noteHello } from './device-log-operation.ts';
import { changeDevice, putDevice } from './device-operation.ts';
import { noteRefused, questionOf, takeVerdict } from './application-operation.ts';
import { haunt, layGhost } from './ghost-operation.ts';
import { factsOf, knownCertificates, welcomeRegistered } from './registration-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { grantedBlobs } from './granted-blob.ts';
import { noteHistory } from './history-operation.ts';
import { stepJob } from './job-operation.ts';
import { proveCertificate, wantIfRotated } from './renewal-operation.ts';
import { acknowledgeRequests, loseSentJobs } from './request-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

/** What an operator has set about who may come. */
export interface ConnectPolicy {
  /** Agents below it are sent away. */
  minAgentVersion?: string;
  /** The application is asked, too. */
  asksApplication?: true;
  renewal?: RenewalPolicy;
}

/**
 * Admits or refuses; or returns what the application has to be asked before. Its verdict is given with a second call,
 * which judges everything anew: much may have changed meanwhile.
 */
export function connectDevice(
  turn: Turn,
  connect: Connect,
  policy: ConnectPolicy,
  application?: HookVerdict,
): ConnectQuestion | undefined {
  const { state } = turn;
  const { deviceId, serialHex } = connect.identity;
  const { fleetId, authorities } = state;
  const authority = authorities.get(connect.identity.authority);
  if (authority?.kind === 'registered') welcomeRegistered(turn, connect, authority);
  const verdicts = judgeIdentity({
    fleetId,
    identity: connect.identity,
    authority,
    known: knownCertificates(state, deviceId),
    device: state.devices.get(deviceId),
    certificate: state.certificates.get(serialHex),
    overlapMs: (policy.renewal ?? defaultRenewalPolicy).overlapMs,
    nowMs: turn.nowMs,
  });
  verdicts.push(judgeAgent(connect.agentVersion, policy.minAgentVersion));
  const admission = admissionOf(verdicts);
  const { because } = admission;
  if (because !== undefined) rememberStranger(turn, connect, because);
  if (because?.rule === 'namespace') noteRefused(turn, connect, because.rule, because.detail);
  if (admission.refusal !== undefined) return refuse(turn, connect, admission.refusal);
  let { standing } = admission;
  const instanceId = instanceHex(connect.instanceId);
  const pinned = judgePin(state.devices.get(deviceId)?.pin, instanceId);
  if (pinned.refusal !== undefined) {
    noteRefused(turn, connect, pinned.rule, pinned.detail);
    return refuse(turn, connect, pinned.refusal);
  }
  const cursors = state.cursors.get(deviceId) ?? new Map<string, LaneCursor>();
  const history = judgeInstance(instanceId, connect.nextSeq, cursors);
  if (history.refusal !== undefined) {
    const hold = { by: 'coordinator' as const, reason: history.detail };
    if (history.refusal.code === 'quarantined' && changeDevice(turn, deviceId, { kind: 'quarantine', hold })) {
      const detail = { reason: history.detail };
      appendOwnEvent(turn, { deviceId, type: 'coordinator.quarantined', key: '', payload: detail });
      auditRule(turn, 'history', { action: 'device.quarantine', subject: deviceId, detail, devices: [deviceId] });
    }
    return refuse(turn, connect, history.refusal);
  }
  if (policy.asksApplication === true && standing !== 'quarantined') {
    if (application === undefined) return questionOf(turn, connect, instanceId, standing);
    const judged = takeVerdict(turn, connect, application);
    if (judged !== undefined && 'code' in judged) return refuse(turn, connect, judged);
    standing = judged?.standing ?? standing;
  }
  if (suspectClone(turn, connect, state.live.get(deviceId), application)) return undefined;
  supersede(turn, deviceId, connect);
  // One that never was accepted has nothing to settle, and might only say so. One that was removed has met our numbers:
  // what it is asked now must not have one that it has seen.
  if (standing !== 'pending' || cursors.has(instanceId)) settleRequests(turn, connect, instanceId);
  admit(turn, connect, instanceId, { cursor: cursors.get(instanceId) ?? zeroCursor, standing });
  return undefined;
}

function refuse(turn: Turn, { connection }: Connect, refusal: Refusal): undefined {
  turn.afterCommit((gateway) => gateway.refuse(connection, refusal));
}

/** Rules that say of a certificate that it is worth nothing. */
const notOurs: ReadonlySet<string> = new Set(['fleet', 'authority', 'certificate', 'namespace']);

/** A valid identity that is not in the registry waits there for an operator, with the certificate that it showed. */
function rememberStranger(turn: Turn, { identity, address }: Connect, { rule, detail }: Verdict): void {
  const { deviceId, serialHex: serial } = identity;
  if (rule === 'known') {
    putDevice(turn, { ...newDevice(deviceId, 'pending', turn.nowMs), address });
    const payload = { address, reason: detail };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.pending', key: '', payload });
    auditRule(turn, 'admission', { action: 'device.pending', subject: deviceId, detail: payload, devices: [deviceId] });
  }
  const waits =
    rule === 'known' || rule === 'certificate-record' || turn.state.devices.get(deviceId)?.state === 'pending';
  if (!waits || turn.state.certificates.has(serial) || notOurs.has(rule)) return;
  changeDevice(turn, deviceId, { kind: 'candidate', certificate: factsOf(identity) });
}

/** The newer connection of an identity wins; whatever the older still says is not heard, and it is soon closed. */
function supersede(turn: Turn, deviceId: string, connect: Connect): void {
  const older = turn.state.live.get(deviceId);
  if (older === undefined) return;
  if (older.standing === 'accepted') haunt(turn, older, connect);
  else turn.afterCommit((gateway) => gateway.close(older.connection, 'superseded', retryAfter.cloneMs));
  leave(turn, deviceId, older, 'superseded', { address: connect.address });
}

/** What the device says that it has committed is settled; what a lost history may have run is not sent again. */
function settleRequests(turn: Turn, connect: Connect, instanceId: string): void {
  const { deviceId } = connect.identity;
  if (instanceHex(connect.knownCoordinatorInstanceId) === turn.state.instanceId) {
    const lastSeq = turn.state.requestSeqs.get(deviceId) ?? zeroCursor;
    const atLeast = lastSeq.map((seq, lane) =>
      Math.max(seq, connect.requestCursor[lane] ?? 0),
    ) as unknown as LaneCursor;
    // Above ours only after this database was set back: its numbers are taken, go on behind them.
    if (atLeast.some((seq, lane) => seq > lastSeq[lane]!)) {
      turn.set(turn.state.requestSeqs, deviceId, atLeast);
      turn.write({ kind: 'request-seq', deviceId, seq: atLeast });
    }
    for (const [lane, seq] of connect.requestCursor.entries()) acknowledgeRequests(turn, deviceId, lane, seq);
    return;
  }
  const before = turn.state.devices.get(deviceId)?.instanceId;
  if (before === undefined || before === instanceId) return;
  loseSentJobs(turn, deviceId);
  loseConfigs(turn, deviceId);
}

function admit(
  turn: Turn,
  connect: Connect,
  instanceId: string,
  { cursor, standing }: { cursor: LaneCursor; standing: Standing },
): void {
  const { state, nowMs } = turn;
  const { connection, gateway, identity, address, agentVersion, resumed } = connect;
  const { deviceId, serialHex: serial } = identity;
  noteHistory(turn, connect);
  changeDevice(turn, deviceId, { kind: 'connect', address, agentVersion, instanceId, serial });
  noteHello(turn, deviceId, instanceId, connect.nextSeq);
  turn.set(state.connections, connection, deviceId);
  turn.set(state.live, deviceId, {
    connection,
    gateway,
    instanceId,
    serial,
    connectedAtMs: nowMs,
    standing,
    sent: new Set<number>(),
  });
  appendOwnEvent(turn, {
    deviceId,
    type: 'coordinator.connected',
    key: '',
    payload: { address, agentVersion, instanceId, serial, gateway, resumed, standing },
  });
  const welcome = { coordinatorInstanceId: BigInt(`0x${state.instanceId}`), eventCursor: [...cursor], standing };
  turn.afterCommit((port) => port.admit(connection, welcome));
  turn.toFlush.add(deviceId);
  if (standing !== 'accepted') return;
  proveCertificate(turn, deviceId, serial);
  wantIfRotated(turn, deviceId, serial);
  resendConfigs(turn, deviceId);
  for (const sha256 of grantedBlobs(state, deviceId)) turn.afterCommit((port) => port.grantBlob(connection, sha256));
  for (const id of state.jobs.keys()) stepJob(turn, id, { kind: 'connected', deviceId });
  for (const id of state.rollouts.keys()) stepRollout(turn, id, { kind: 'presence', deviceId });
}

export function disconnectDevice(
  turn: Turn,
  connection: ConnectionId,
  { reason, traffic, policy }: { reason: string; traffic: Traffic; policy: ConnectPolicy },
): void {
  const { state } = turn;
  const deviceId = state.connections.get(connection);
  if (deviceId === undefined) {
    // Perhaps one that waited for an older one's sign of life.
    for (const [id, { newer }] of state.probes) if (newer.connection === connection) turn.delete(state.probes, id);
    return;
  }
  turn.delete(state.connections, connection);
  turn.delete(state.ghosts, connection);
  changeDevice(turn, deviceId, { kind: 'disconnect', ...traffic });
  const live = state.live.get(deviceId);
  if (live?.connection === connection) leave(turn, deviceId, live, reason, { ...traffic });
  const probe = takeProbe(turn, deviceId, connection);
  if (probe !== undefined) connectDevice(turn, probe.newer, policy, probe.application);
}

/** The older of two has answered, or not. */
export function probedDevice(turn: Turn, connection: ConnectionId, answered: boolean, policy: ConnectPolicy): void {
  if (layGhost(turn, connection, answered)) return;
  const { state } = turn;
  const deviceId = state.connections.get(connection);
  const probe = deviceId === undefined ? undefined : takeProbe(turn, deviceId, connection);
  const live = deviceId === undefined ? undefined : state.live.get(deviceId);
  if (deviceId === undefined || probe === undefined || live?.connection !== connection) return;
  if (answered) {
    quarantineClones(turn, live, probe.newer);
    leave(turn, deviceId, live, 'quarantined', {});
    return;
  }
  turn.afterCommit((gateway) => gateway.close(connection, 'superseded'));
  leave(turn, deviceId, live, 'superseded', { address: probe.newer.address });
  connectDevice(turn, probe.newer, policy, probe.application);
}

function leave(
  turn: Turn,
  deviceId: string,
  live: LiveConnection,
  reason: string,
  payload: Record<string, unknown>,
): void {
  turn.delete(turn.state.live, deviceId);
  appendOwnEvent(turn, {
    deviceId,
    type: 'coordinator.disconnected',
    key: '',
    payload: { reason, connectedAtMs: live.connectedAtMs, ...payload },
  });
  for (const id of turn.state.jobs.keys()) stepJob(turn, id, { kind: 'disconnected', deviceId });
  for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'presence', deviceId });
}

/** The live connection with this number; a superseded one is a ghost. */
export function liveOf(turn: Turn, connection: ConnectionId): { deviceId: string; live: LiveConnection } | undefined {
  const deviceId = turn.state.connections.get(connection);
  const live = deviceId === undefined ? undefined : turn.state.live.get(deviceId);
  return deviceId === undefined || live?.connection !== connection ? undefined : { deviceId, live };
}

export function commitRequests(turn: Turn, connection: ConnectionId, lane: Lane, upToSeq: number): void {
  const peer = liveOf(turn, connection);
  if (peer !== undefined) acknowledgeRequests(turn, peer.deviceId, lane, upToSeq);
}
