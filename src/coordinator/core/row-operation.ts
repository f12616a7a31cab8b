/** Rows of a device's log: each is stored once, in order of its lane, and acknowledged after the commit. */
import type { Lane, Row } from '../../protocol/lane.ts';
import type { RowBlock } from '../../protocol/packed-rows.ts';
import type { LaneCursor } from '../../store/row.ts';
import type { ConnectionId, NackVerdict } from '../gateway/port.ts';
import { carryOut } from './carry-out.ts';
import { instanceHex, zeroCursor } from './core-state.ts';
import { noteMissing, noteStored } from './device-log-operation.ts';
import { appendBlock, appendEvent, appendOwnEvent } from './event-operation.ts';
import { liveOf } from './link-operation.ts';
import { parkLetter } from './park-letter.ts';
import type { EventReader, Meaning } from './read-event.ts';
import { noteBlock, noteSchemas } from './schema-operation.ts';
import type { Turn } from './turn.ts';

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
  const cursors = turn.state.cursors.get(deviceId);
  const cursor = cursors?.get(instanceId) ?? zeroCursor;
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
  if (cursors === undefined) turn.set(turn.state.cursors, deviceId, new Map([[instanceId, next]]));
  else turn.set(cursors, instanceId, next);
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
      // A glimpse of what comes whole with the result: the same bytes are not stored twice.
      if (meaning.kind !== 'job-output') appendEvent(turn, stored);
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
