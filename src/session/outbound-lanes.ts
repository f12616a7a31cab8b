import { laneCount, type Lane, type Row } from '../protocol/lane.ts';
import type { GapReason } from '../protocol/message.ts';
import type { BulkWindow } from './bulk-window.ts';
import { OutboundLane } from './outbound-lane.ts';
import { perLane } from './per-lane.ts';

/** Lane 0 has no window: this only bounds what the peer may hold unacknowledged. */
const maxUrgentUnackedBytes = 262_144;

/** Rows of one frame: enough for columns to pay, little enough for an urgent frame to wait behind. */
const maxBatchRows = 128;
const maxBatchBytes = 8_192;

/** What leaves in one frame. */
export type Outgoing = { rows: Row[] } | { skipped: number; reason: GapReason };

/** The four lanes towards the peer, and which of them have something to send. */
export class OutboundLanes {
  readonly lanes = perLane(() => new OutboundLane());
  /** Lanes that the peer has asked to rest. */
  readonly paused = [false, false, false, false];
  /** Bit n: something may wait in lane n. Four lanes of thousands of sessions are a long way through memory. */
  #filled = 0;

  /** Rows with consecutive numbers; those that were queued before are left out. */
  enqueue(lane: Lane, firstSeq: number, rows: readonly Row[]): void {
    this.#filled |= 1 << lane;
    rows.forEach((row, n) => this.lanes[lane].enqueue(firstSeq + n, row));
  }

  leaveOut(lane: Lane, upToSeq: number, reason: GapReason): void {
    this.#filled |= 1 << lane;
    this.lanes[lane].leaveOut(upToSeq, reason);
  }

  /** Of rows that wait, all lanes. */
  get queuedBytes(): number {
    let bytes = 0;
    for (let lane = 0; this.#filled >> lane !== 0; lane += 1) bytes += this.lanes[lane as Lane].queuedBytes;
    return bytes;
  }

  /** Is there a row at all? Mostly not, and that is asked after every frame. */
  get waits(): boolean {
    for (let lane = 0; this.#filled >> lane !== 0; lane += 1) {
      if (this.lanes[lane as Lane].nextBytes !== undefined) return true;
      this.#filled &= ~(1 << lane);
    }
    return false;
  }

  /** By urgency: may the lane's next row leave now? */
  ready(window: BulkWindow): boolean[] {
    const ready = Array<boolean>(laneCount).fill(false);
    for (let lane = 0; this.#filled >> lane !== 0; lane += 1) {
      const { nextBytes } = this.lanes[lane as Lane];
      ready[lane] = nextBytes !== undefined && !this.paused[lane] && this.#admits(lane as Lane, nextBytes, window);
    }
    return ready;
  }

  /** The rows of this lane's next frame, of which the window admits the first, or what is left out. */
  take(lane: Lane, nowMs: number, window: BulkWindow): Outgoing {
    const outbound = this.lanes[lane];
    const first = outbound.take(nowMs)!;
    const { row } = first;
    if (lane !== 0) window.sent(first.bytes);
    if (row === undefined) return { skipped: first.skipped, reason: first.reason };
    const rows = [row];
    let more = 0;
    while (rows.length < maxBatchRows) {
      const next = outbound.followingBytes;
      if (next === undefined || first.bytes + more + next > maxBatchBytes) break;
      if (!this.#admits(lane, more + next, window)) break;
      rows.push(outbound.take(nowMs)!.row!);
      more += next;
    }
    if (lane !== 0) window.sent(more);
    return { rows };
  }

  /** May `bytes` more of this lane be on their way? */
  #admits(lane: Lane, bytes: number, window: BulkWindow): boolean {
    return lane === 0 ? this.lanes[0].inFlight.bytes < maxUrgentUnackedBytes : window.admits(bytes);
  }
}
