/** What the gateways tell: connects, events, acknowledgements, disconnects. Each becomes changes of the state. */
import type { Lane, Row } from '../../protocol/lane.ts';
import type { RowBlock } from '../../protocol/packed-rows.ts';
import type { LaneCursor } from '../../store/row.ts';
import type { Connect, ConnectionId, NackVerdict, Traffic } from '../gateway/port.ts';
import type { Standing } from '../../protocol/message.ts';
import {
  retryAfter,
  admissionOf,
  judgeAgent,
  judgeIdentity,
  judgeInstance,
  type Refusal,
  type Verdict,
} from '../identity/judge-connect.ts';
import { newDevice } from '../registry/reduce-device.ts';
import { quarantineClones, suspectClone, takeProbe } from './clone-operation.ts';
import { instanceHex, zeroCursor, type LiveConnection } from './core-state.ts';
import { loseConfigs, resendConfigs, stepConfig } from './config-operation.ts';
import { noteGivenUp } from './device-letter-operation.ts';
import { noteDropped, noteHello, noteMissing, noteReport, noteStored } from './device-log-operation.ts';
import { announceTypes, changeDevice, putDevice } from './device-operation.ts';
import { haunt, layGhost } from './ghost-operation.ts';
import { appendBlock, appendEvent, appendOwnEvent } from './event-operation.ts';
import { noteHistory } from './history-operation.ts';
import { stepJob } from './job-operation.ts';
import { parkLetter } from './park-letter.ts';
import type { EventReader, Meaning } from './read-event.ts';
import { acknowledgeRequests, loseSentJobs } from './request-operation.ts';
import { neededBlobs, stepRollout } from './rollout-operation.ts';
import { learnSchema, noteBlock, noteSchemas } from './schema-operation.ts';
import type { Turn } from './turn.ts';

/** What an operator has set about who may come. */
export interface ConnectPolicy {
  /** Agents below it are sent away. */
  minAgentVersion?: string;
}

export function connectDevice(turn: Turn, connect: Connect, policy: ConnectPolicy): void {
  const { state } = turn;
  const { deviceId, serialHex } = connect.identity;
  const certificate = state.certificates.get(serialHex);
  const verdicts = judgeIdentity({
    fleetId: state.fleetId,
    identity: connect.identity,
    device: state.devices.get(deviceId),
    certificate,
    nowMs: turn.nowMs,
  });
  verdicts.push(judgeAgent(connect.agentVersion, policy.minAgentVersion));
  const admission = admissionOf(verdicts);
  if (admission.because !== undefined) rememberStranger(turn, connect, admission.because);
  if (admission.refusal !== undefined) return refuse(turn, connect, admission.refusal);
  const { standing } = admission;
  const instanceId = instanceHex(connect.instanceId);
  const cursors = state.cursors.get(deviceId) ?? new Map<string, LaneCursor>();
  const history = judgeInstance(instanceId, connect.nextSeq, cursors);
  if (history.refusal !== undefined) {
    if (history.refusal.code === 'quarantined' && changeDevice(turn, deviceId, { kind: 'quarantine' })) {
      appendOwnEvent(turn, { deviceId, type: 'coordinator.quarantined', key: '', payload: { reason: history.detail } });
    }
    return refuse(turn, connect, history.refusal);
  }
  if (suspectClone(turn, connect, state.live.get(deviceId))) return;
  supersede(turn, deviceId, connect);
  // One that never was accepted has nothing to settle, and might only say so.
  if (standing !== 'pending') settleRequests(turn, connect, instanceId);
  admit(turn, connect, instanceId, { cursor: cursors.get(instanceId) ?? zeroCursor, standing });
}

function refuse(turn: Turn, { connection }: Connect, refusal: Refusal): void {
  turn.afterCommit((gateway) => gateway.refuse(connection, refusal));
}

/** A valid identity that is not in the registry waits there for an operator, with the certificate that it showed. */
function rememberStranger(turn: Turn, { identity, address }: Connect, { rule, detail }: Verdict): void {
  const { deviceId, serialHex: serial, fingerprintSha256Hex: fingerprintSha256, notBeforeMs, notAfterMs } = identity;
  if (rule === 'known') {
    putDevice(turn, { ...newDevice(deviceId, 'pending', turn.nowMs), address });
    appendOwnEvent(turn, { deviceId, type: 'coordinator.pending', key: '', payload: { address, reason: detail } });
  }
  const waits =
    rule === 'known' || rule === 'certificate-record' || turn.state.devices.get(deviceId)?.state === 'pending';
  if (!waits || turn.state.certificates.has(serial) || rule === 'certificate' || rule === 'fleet') return;
  changeDevice(turn, deviceId, {
    kind: 'candidate',
    certificate: { serial, fingerprintSha256, notBeforeMs, notAfterMs },
  });
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
  resendConfigs(turn, deviceId);
  for (const sha256 of neededBlobs(state, deviceId)) turn.afterCommit((port) => port.grantBlob(connection, sha256));
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
  if (probe !== undefined) connectDevice(turn, probe.newer, policy);
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
  connectDevice(turn, probe.newer, policy);
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

/** Where rows that came stand in their lane. */
interface Claim {
  deviceId: string;
  instanceId: string;
  /** Rows at the beginning that were stored before: only their acknowledgement got lost. */
  skip: number;
  /** Comes last: what is said about a row stands before the acknowledgement that covers it. */
  acknowledge(): void;
}

/**
 * Moves the lane's cursor behind `count` rows from `firstSeq`. Undefined when nothing of them is to be stored: a
 * ghost's, or a repetition, which is acknowledged again.
 */
function claimRows(
  turn: Turn,
  connection: ConnectionId,
  lane: Lane,
  firstSeq: number,
  { count, lastTimestampMs }: { count: number; lastTimestampMs: number },
): Claim | undefined {
  const peer = liveOf(turn, connection);
  if (peer === undefined || count === 0) return undefined;
  const { deviceId, live } = peer;
  const { instanceId } = live;
  const cursors = turn.state.cursors.get(deviceId) ?? new Map<string, LaneCursor>();
  const cursor = cursors.get(instanceId) ?? zeroCursor;
  const storedSeq = cursor[lane];
  const lastSeq = firstSeq + count - 1;
  const acknowledge = (): void =>
    turn.afterCommit((gateway) => gateway.acknowledge(connection, lane, Math.max(storedSeq, lastSeq)));
  if (lastSeq <= storedSeq) {
    acknowledge();
    return undefined;
  }
  if (firstSeq > storedSeq + 1) {
    const payload = { instanceId, lane, from: storedSeq + 1, to: firstSeq - 1 };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.gap', key: '', payload });
    noteMissing(turn, deviceId, firstSeq - 1 - storedSeq);
  }
  const next = cursor.with(lane, lastSeq) as unknown as LaneCursor;
  turn.set(turn.state.cursors, deviceId, new Map(cursors).set(instanceId, next));
  const atMs = noteStored(turn, deviceId, lane, lastTimestampMs);
  turn.write({ kind: 'cursor', cursor: { deviceId, instanceId, lane, seq: lastSeq, atMs } });
  return { deviceId, instanceId, skip: Math.max(0, storedSeq + 1 - firstSeq), acknowledge };
}

/** Stores what is new of a lane, row by row. */
export function storeEvents(
  turn: Turn,
  connection: ConnectionId,
  lane: Lane,
  firstSeq: number,
  rows: readonly Row[],
  readEvent: EventReader,
): void {
  const claim = claimRows(turn, connection, lane, firstSeq, {
    count: rows.length,
    lastTimestampMs: rows.at(-1)?.timestampMs ?? 0,
  });
  if (claim === undefined) return;
  const { deviceId, instanceId, skip, acknowledge } = claim;
  for (const [index, row] of rows.entries()) {
    if (index < skip) continue;
    const seq = firstSeq + index;
    const verdict = storeEvent(turn, deviceId, { instanceId, lane, seq }, row, readEvent(row));
    if (verdict !== undefined) turn.afterCommit((gateway) => gateway.nack(connection, lane, seq, verdict));
  }
  acknowledge();
}

/** Stores what is new of a run of product rows, unread. */
export function storeBlock(turn: Turn, connection: ConnectionId, lane: Lane, firstSeq: number, block: RowBlock): void {
  const claim = claimRows(turn, connection, lane, firstSeq, block);
  if (claim === undefined) return;
  const { acknowledge, ...place } = claim;
  appendBlock(turn, { ...place, lane, firstSeq, block });
  noteBlock(turn, place.deviceId, block, place.skip);
  acknowledge();
}

/** One bad event is parked with its bytes and its reason; it never stops its lane. Returns what the device is told. */
function storeEvent(
  turn: Turn,
  deviceId: string,
  place: { instanceId: string; lane: number; seq: number },
  row: Row,
  meaning: Meaning,
): NackVerdict | undefined {
  const stored = {
    deviceId,
    ...place,
    type: row.type,
    key: row.key,
    timestampMs: Math.trunc(row.timestampMs),
    receivedAtMs: turn.nowMs,
    ...(row.schema === 0n ? {} : { schema: instanceHex(row.schema) }),
    payload: row.payload,
  };
  const mark = turn.mark();
  let reason = meaning.kind === 'dead' ? meaning.reason : undefined;
  if (reason === undefined) {
    try {
      appendEvent(turn, stored);
      if (stored.schema !== undefined) noteSchemas(turn, deviceId, [stored.schema]);
      carryOut(turn, deviceId, meaning);
      return undefined;
    } catch (error) {
      turn.rollback(mark);
      reason = `could not be carried out: ${error instanceof Error ? error.message : String(error)}`.slice(0, 256);
    }
  }
  parkLetter(turn, { ...stored, ...letterOf(meaning), reason });
  // What went wrong in here is nobody's business out there.
  const told = meaning.kind === 'dead' ? meaning : { class: 'reject' as const, reason: 'could not be carried out' };
  return { class: told.class, code: nackCodes[told.class], retryAfterMs: 0, detail: told.reason };
}

/** How a dead letter is filed: what can't be read, what could not be carried out. */
function letterOf(meaning: Meaning) {
  if (meaning.kind !== 'dead') return { layer: 'decode', code: 'not-carried-out' } as const;
  const { layer = 'decode', code = meaning.class, attempts = 1 } = meaning;
  return { layer, code, attempts } as const;
}

const nackCodes = { reject: 1, 'too-large': 2, forbidden: 3 } as const;

export function carryOut(turn: Turn, deviceId: string, meaning: Meaning): void {
  switch (meaning.kind) {
    case 'boot':
      changeDevice(turn, deviceId, { kind: 'boot', ...meaning.event });
      for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'presence', deviceId });
      return;
    case 'grains':
      changeDevice(turn, deviceId, { kind: 'grains', grains: meaning.event.grains });
      return;
    case 'job':
      return stepJob(turn, meaning.event.jobId, { kind: 'result', deviceId, event: meaning.event });
    case 'update':
      return stepRollout(turn, meaning.event.rolloutId, { kind: 'update', deviceId, event: meaning.event });
    case 'schema':
      return learnSchema(turn, deviceId, meaning.event);
    case 'accepts':
      return announceTypes(turn, deviceId, meaning.event);
    case 'config':
      return stepConfig(turn, deviceId, meaning.event.name, { kind: 'report', event: meaning.event });
    case 'log':
      return noteReport(turn, deviceId, meaning.event);
    case 'gap':
      return noteDropped(turn, deviceId, meaning.event);
    case 'deadletter':
      return noteGivenUp(turn, deviceId, meaning.event);
    case 'reply':
    case 'plain':
    case 'dead':
      return;
  }
}
