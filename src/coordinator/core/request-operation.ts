import { Lane, type Row } from '../../protocol/lane.ts';
import type { DeviceRow, LaneCursor, RequestRow } from '../../store/row.ts';
import type { NewRequest } from '../effect.ts';
import { acknowledged, deliverable, expired, nextToSend, recall, type Outbox } from '../request/outbox.ts';
import { zeroCursor } from './core-state.ts';
import { deliveredConfig } from './config-operation.ts';
import { stepJob } from './job-operation.ts';
import { endProductRequests } from './product-request-operation.ts';
import type { Turn } from './turn.ts';

/** What a lost history may have run, and a new one must not run again. */
const runsOnce: ReadonlySet<string> = new Set(['job.start', 'job.run', 'product.request']);

/** Makes a request durable; it is sent at the end of the turn if the device is there, else when it comes. */
export function enqueueRequest(turn: Turn, deviceId: string, request: NewRequest): void {
  if (!turn.state.devices.has(deviceId)) return;
  const row: RequestRow = {
    row: turn.next('request-row'),
    deviceId,
    lane: Lane.control,
    type: request.type,
    key: request.key,
    payload: JSON.stringify(request.payload),
    createdAtMs: turn.nowMs,
    expiresAtMs: request.expiresAtMs,
  };
  putOutbox(turn, deviceId, [...outboxOf(turn, deviceId), row]);
  turn.write({ kind: 'request', request: row });
  turn.toFlush.add(deviceId);
}

/** Takes back what was never sent. */
export function withdrawRequest(turn: Turn, deviceId: string, type: string, key: string): void {
  const outbox = outboxOf(turn, deviceId);
  const withdrawn = outbox.filter((row) => row.seq === undefined && row.type === type && row.key === key);
  dropRequests(
    turn,
    deviceId,
    withdrawn,
    outbox.filter((row) => !withdrawn.includes(row)),
  );
}

/** Sends what the live connection has not been sent: each row gets its number, the number is stored, then it leaves. */
export function flushRequests(turn: Turn): void {
  for (const deviceId of turn.toFlush) {
    turn.toFlush.delete(deviceId);
    const live = turn.state.live.get(deviceId);
    if (live === undefined) continue;
    const device = turn.state.devices.get(deviceId)!;
    const outbox = live.standing === 'accepted' ? recallRequests(turn, device, live.sent) : outboxOf(turn, deviceId);
    const next = nextToSend(deliverable(outbox, live.standing, device), givenTo(turn, deviceId), live.sent);
    if (next.rows.length === 0) continue;
    const numbered = new Map(next.rows.map((row) => [row.row, row]));
    for (const row of outbox) {
      const sent = numbered.get(row.row);
      if (sent !== undefined && row.seq === undefined) turn.write({ kind: 'request', request: sent });
    }
    putOutbox(
      turn,
      deviceId,
      outbox.map((row) => numbered.get(row.row) ?? row),
    );
    turn.set(turn.state.requestSeqs, deviceId, next.lastSeq);
    // What the device has settled since is in the outbox no more: it is not remembered either.
    const sent = new Set(numbered.keys());
    for (const { row } of outbox) if (live.sent.has(row)) sent.add(row);
    turn.set(turn.state.live, deviceId, { ...live, sent });
    for (const row of next.rows) {
      const lane = row.lane as Lane;
      turn.afterCommit((gateway) => gateway.request(live.connection, lane, row.seq!, wireRow(row)));
      if (isJob(row)) stepJob(turn, row.key, { kind: 'sent', deviceId });
    }
  }
}

function isJob({ type }: RequestRow): boolean {
  return type === 'job.start' || type === 'job.run';
}

function recallRequests(turn: Turn, device: DeviceRow, sent: ReadonlySet<number>): Outbox {
  const { outbox, recalled } = recall(outboxOf(turn, device.id), device, sent);
  if (recalled.length === 0) return outbox;
  putOutbox(turn, device.id, outbox);
  for (const request of recalled) turn.write({ kind: 'request', request });
  // The device may have met their numbers, and no row has them any more.
  turn.write({ kind: 'request-seq', deviceId: device.id, seq: givenTo(turn, device.id) });
  return outbox;
}

/** The device has committed everything of the lane up to `upToSeq`. */
export function acknowledgeRequests(turn: Turn, deviceId: string, lane: number, upToSeq: number): void {
  const { done, rest } = acknowledged(outboxOf(turn, deviceId), lane, upToSeq);
  dropRequests(turn, deviceId, done, rest);
  for (const row of done) {
    if (isJob(row)) stepJob(turn, row.key, { kind: 'delivered', deviceId });
    else if (row.type === 'config.desired') deliveredConfig(turn, row);
  }
}

/** The data of the device is gone: what was under way to it may have run or not, and is never sent again. */
export function loseSentJobs(turn: Turn, deviceId: string): void {
  const outbox = outboxOf(turn, deviceId);
  const lost = outbox.filter((row) => row.seq !== undefined && runsOnce.has(row.type));
  dropRequests(
    turn,
    deviceId,
    lost,
    outbox.filter((row) => !lost.includes(row)),
  );
  endProductRequests(turn, deviceId, lost, { outcome: 'unknown', reason: 'the data of the device is gone' });
  for (const [id, job] of turn.state.jobs) {
    const position = job.index.get(deviceId);
    const device = position === undefined ? undefined : job.devices.at(position);
    if (device?.wasSent === true) stepJob(turn, id, { kind: 'history-lost', deviceId });
  }
}

export function expireRequests(turn: Turn): void {
  for (const [deviceId, outbox] of turn.state.outboxes) {
    const { done, rest } = expired(outbox, turn.nowMs);
    dropRequests(turn, deviceId, done, rest);
    endProductRequests(turn, deviceId, done, { outcome: 'expired', reason: 'the device never had it' });
  }
}

/** Takes `done` out of the outbox, of which `rest` is left. */
export function dropRequests(turn: Turn, deviceId: string, done: readonly RequestRow[], rest: Outbox): void {
  if (done.length === 0) return;
  putOutbox(turn, deviceId, rest);
  const given = givenTo(turn, deviceId);
  for (const request of done) turn.write({ kind: 'request-removed', request, given });
}

/** The last seq of each lane that a request to the device was given. */
function givenTo(turn: Turn, deviceId: string): LaneCursor {
  return turn.state.requestSeqs.get(deviceId) ?? zeroCursor;
}

function putOutbox(turn: Turn, deviceId: string, outbox: Outbox): void {
  if (outbox.length === 0) turn.delete(turn.state.outboxes, deviceId);
  else turn.set(turn.state.outboxes, deviceId, outbox);
}

function outboxOf(turn: Turn, deviceId: string): Outbox {
  return turn.state.outboxes.get(deviceId) ?? [];
}

function wireRow({ type, key, createdAtMs, payload }: RequestRow): Row {
  return { type, key, timestampMs: createdAtMs, schema: 0n, payload: Buffer.from(payload) };
}
