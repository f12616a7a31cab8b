import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alwaysAccepted, requestSchemas } from '../../../src/protocol/request.ts';
import {
  acknowledged,
  deliverable,
  expired,
  isAnnounced,
  neededType,
  nextToSend,
  recall,
  takesConduct,
  type Outbox,
  type Taker,
} from '../../../src/coordinator/request/outbox.ts';
import type { LaneCursor, RequestRow } from '../../../src/store/row.ts';

const request = (row: number, over: Partial<RequestRow> = {}): RequestRow => ({
  row,
  deviceId: 'gw-1',
  lane: 0,
  type: 'job.start',
  key: `j${row}`,
  payload: '{}',
  createdAtMs: 0,
  expiresAtMs: 100,
  ...over,
});

describe('the conduct of an offer', () => {
  it('is only for the very agent that has announced that it heeds it', () => {
    const announced = (version: number, agentVersion = '2.0.0'): Taker => ({
      agentVersion: '2.0.0',
      accepts: { agentVersion, types: { 'update.offer': version } },
    });
    expect(takesConduct(announced(2))).toBe(true);
    expect(takesConduct(announced(1))).toBe(false);
    expect(takesConduct(announced(2, '1.0.0'))).toBe(false);
    expect(takesConduct({ agentVersion: '2.0.0' })).toBe(false);
    expect(takesConduct({})).toBe(false);
  });
});

describe('what may reach a device that is kept out', () => {
  const start = request(1);
  const cancel = request(2, { type: 'job.cancel' });

  it('is all for an accepted one, nothing for a pending one', () => {
    expect(deliverable([start, cancel], 'accepted', {})).toEqual([start, cancel]);
    expect(deliverable([start, cancel], 'pending', {})).toEqual([]);
  });

  it('is the end of what it may still be doing for a quarantined one', () => {
    expect(deliverable([start, cancel], 'quarantined', {})).toEqual([cancel]);
    const off = request(3, { type: 'update.cancel' });
    expect(deliverable([start, off, request(4, { type: 'update.offer' })], 'quarantined', {})).toEqual([off]);
  });

  it('never passes a number that has to wait: the next one would acknowledge it', () => {
    const rows = [{ ...cancel, seq: 7 }, { ...start, seq: 8 }, request(3, { type: 'job.cancel', seq: 9 }), request(4)];
    expect(deliverable(rows.toReversed(), 'quarantined', {})).toEqual([rows[0]]);
  });
});

const takerOf = (agentVersion: string, accepts: Taker['accepts']): Taker =>
  accepts === undefined ? { agentVersion } : { agentVersion, accepts };

describe('what a device was never heard to take', () => {
  const desired = request(1, { type: 'config.desired' });
  const product = request(2, { type: 'product.request', payload: '{"type":"valve.open"}' });
  const accepts = (types: Record<string, number>, agentVersion = '1.0.0') => ({
    agentVersion: '1.0.0',
    accepts: { agentVersion, types },
  });

  it('waits until its present agent has announced it, a product request by its own type', () => {
    expect(deliverable([desired, product, request(3)], 'accepted', {})).toEqual([request(3)]);
    expect(deliverable([desired], 'accepted', accepts({ 'config.desired': 1 }))).toEqual([desired]);
    expect(deliverable([desired], 'accepted', accepts({ 'config.desired': 1 }, '0.9.0'))).toEqual([]);
    expect(deliverable([product], 'accepted', accepts({ 'product.request': 1 }))).toEqual([]);
    expect(deliverable([product], 'accepted', accepts({ 'product.request:valve.open': 1 }))).toEqual([product]);
    expect(isAnnounced(request(4, { type: 'constructor' }), accepts({}))).toBe(false);
  });

  it('gives its number back when another agent was sent it, so that it holds up nothing', () => {
    const rows = [{ ...desired, seq: 5 }, request(3, { seq: 6 })];
    const { outbox, recalled } = recall(rows, {}, new Set());
    expect([outbox, recalled]).toEqual([[desired, rows[1]], [desired]]);
    expect(recall(rows, {}, new Set([1])).recalled).toEqual([]); // on its way on this very connection
  });

  it('never leaves, over any mix of connects, announcements, requests and answers', () => {
    const types = [...Object.keys(requestSchemas), 'product.request'];
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('submit' as const),
        type: fc.constantFrom(...types),
        product: fc.constantFrom('p', 'q'),
      }),
      fc.record({ kind: fc.constant('connect' as const), agentVersion: fc.constantFrom('1', '2') }),
      fc.record({
        kind: fc.constant('announce' as const),
        names: fc.subarray([...Object.keys(requestSchemas), 'product.request:p', 'product.request:q']),
      }),
      fc.record({ kind: fc.constant('flush' as const) }),
      fc.record({ kind: fc.constant('ack' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let outbox: Outbox = [];
        let lastSeq: LaneCursor = [0, 0, 0, 0];
        let sent = new Set<number>();
        let heard: Taker['accepts'];
        let taker = takerOf('1', heard);
        let rows = 0;
        let held = 0; // the highest number that the device has, contiguous but for gaps that are announced
        let committed = 0;
        const announced = new Map<string, readonly string[]>(); // by agent version, as the device said it last
        let lastAgent = '1';
        for (const one of steps) {
          if (one.kind === 'submit') {
            rows += 1;
            outbox = outbox.concat(request(rows, { type: one.type, payload: JSON.stringify({ type: one.product }) }));
          } else if (one.kind === 'connect') {
            lastAgent = one.agentVersion;
            taker = takerOf(lastAgent, heard);
            sent = new Set();
            outbox = acknowledged(outbox, 0, committed).rest; // HELLO tells
            held = committed;
          } else if (one.kind === 'announce') {
            announced.clear(); // only the last announcement is known
            announced.set(lastAgent, one.names);
            heard = { agentVersion: lastAgent, types: Object.fromEntries(one.names.map((name) => [name, 1])) };
            taker = takerOf(lastAgent, heard);
          } else if (one.kind === 'flush') {
            outbox = recall(outbox, taker, sent).outbox;
            const next = nextToSend(deliverable(outbox, 'accepted', taker), lastSeq, sent);
            for (const row of next.rows) {
              const may = alwaysAccepted.has(row.type) || announced.get(lastAgent)?.includes(neededType(row)) === true;
              expect(may, row.type).toBe(true);
              expect(row.seq!).toBeGreaterThan(held);
              held = row.seq!;
              sent.add(row.row);
            }
            lastSeq = next.lastSeq;
            const byRow = new Map(next.rows.map((row) => [row.row, row]));
            outbox = outbox.map((row) => byRow.get(row.row) ?? row);
            // Nothing that may leave is left behind.
            expect(deliverable(outbox, 'accepted', taker).every((row) => sent.has(row.row))).toBe(true);
          } else {
            committed = held;
            outbox = acknowledged(outbox, 0, committed).rest;
          }
        }
      }),
      { seed: 20_261_125, numRuns: 1_000 },
    );
  });
});

describe('the outbox of a device', () => {
  it('gives each request its number when it is first sent, and the same one again on the next connection', () => {
    const first = nextToSend([request(1), request(2)], [4, 0, 0, 0], new Set());
    expect(first.rows.map(({ seq }) => seq)).toEqual([5, 6]);
    expect(first.lastSeq).toEqual([6, 0, 0, 0]);
    const again = nextToSend([...first.rows, request(3)], first.lastSeq, new Set());
    expect(again.rows.map(({ row, seq }) => [row, seq])).toEqual([
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
  });

  it('expires only what was never sent', () => {
    const outbox = [request(1, { seq: 1 }), request(2), request(3, { expiresAtMs: 101 })];
    const { done, rest } = expired(outbox, 100);
    expect(done.map(({ row }) => row)).toEqual([2]);
    expect(rest.map(({ row }) => row)).toEqual([1, 3]);
  });

  it('numbers without gaps or repetitions, delivers in order, and forgets only what was acknowledged', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('submit' as const), lane: fc.integer({ min: 0, max: 1 }) }),
      fc.record({ kind: fc.constant('connect' as const) }),
      fc.record({ kind: fc.constant('flush' as const) }),
      fc.record({
        kind: fc.constant('ack' as const),
        lane: fc.integer({ min: 0, max: 1 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let outbox: Outbox = [];
        let lastSeq: LaneCursor = [0, 0, 0, 0];
        let sent = new Set<number>();
        let rows = 0;
        const numberOf = new Map<number, string>();
        const delivered = [0, 0]; // per lane, what the device holds
        for (const each of steps) {
          if (each.kind === 'submit') outbox = outbox.concat(request((rows += 1), { lane: each.lane }));
          else if (each.kind === 'connect') sent = new Set();
          else if (each.kind === 'flush') {
            const next = nextToSend(outbox, lastSeq, sent);
            lastSeq = next.lastSeq;
            for (const row of next.rows) {
              const name = `${row.lane}/${row.seq}`;
              expect(numberOf.get(row.row) ?? name).toBe(name);
              numberOf.set(row.row, name);
              sent.add(row.row);
              // Either the device has it already, or it is the very next one.
              expect(row.seq!).toBeLessThanOrEqual(delivered[row.lane]! + 1);
              delivered[row.lane] = Math.max(delivered[row.lane]!, row.seq!);
            }
            const byRow = new Map(next.rows.map((row) => [row.row, row]));
            outbox = outbox.map((row) => byRow.get(row.row) ?? row);
          } else {
            const upTo = Math.floor(delivered[each.lane]! * each.share);
            const { done, rest } = acknowledged(outbox, each.lane, upTo);
            expect(done.every((row) => row.lane === each.lane && row.seq! <= upTo)).toBe(true);
            expect(rest.length + done.length).toBe(outbox.length);
            outbox = rest;
          }
        }
        expect(new Set(numberOf.values()).size).toBe(numberOf.size);
      }),
    );
  });
});
