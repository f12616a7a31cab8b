import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import type { Lane, Row } from '../../../src/protocol/lane.ts';
import { spokenFeatures, type Hello, type Message, type Standing } from '../../../src/protocol/message.ts';
import { CoordinatorSession } from '../../../src/session/coordinator-session.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';
import type { Effect } from '../../../src/session/effect.ts';
import { KeepaliveInterval } from '../../../src/session/keepalive-interval.ts';
import { commonFeatures, commonVersion } from '../../../src/session/negotiate.ts';

const option = { keepaliveMs: 1_680_000, answerTimeoutMs: 20_000, helloTimeoutMs: 10_000 };
const greeting = {
  instanceId: 1n,
  knownCoordinatorInstanceId: 0n,
  nextSeq: [1, 1, 1, 1],
  requestCursor: [0, 0, 0, 0],
  agentVersion: '1.0.0',
  newInstance: false,
};
const admission = { coordinatorInstanceId: 9n, sessionId: 1, eventCursor: [0, 0, 0, 0], serverTimeMs: 1_000 };
const rowOf = (bytes: number): Row => ({
  type: 't',
  key: '',
  timestampMs: 0,
  schema: 0n,
  payload: new Uint8Array(bytes),
});
const rows = (count: number, bytes = 1): Row[] => Array.from({ length: count }, () => rowOf(bytes));
const kinds = (effects: Effect[]): string[] => effects.map(({ kind }) => kind);
const closeOf = (effects: Effect[]) => effects.find((effect) => effect.kind === 'closed')?.close;
const received = (effects: Effect[]) =>
  effects.flatMap((effect) => (effect.kind === 'rows' ? [[effect.lane, effect.rows.length]] : []));

function pair({
  standing = 'accepted',
  creditBytes = 1_048_576,
  interval,
}: { standing?: Standing; creditBytes?: number; interval?: KeepaliveInterval } = {}) {
  const device = new DeviceSession(greeting, { ...option, ...(interval === undefined ? {} : { interval }) }, 0);
  const coordinator = new CoordinatorSession({ ...option, creditBytes }, 0);
  const up = (nowMs: number): Effect[] => coordinator.receive(device.flush(nowMs, 1e6) ?? new Uint8Array(), nowMs);
  const down = (nowMs: number): Effect[] => device.receive(coordinator.flush(nowMs, 1e6) ?? new Uint8Array(), nowMs);
  up(0);
  coordinator.admit({ ...admission, standing });
  return { device, coordinator, up, down, welcomed: down(0) };
}

describe('a session with the control lane alone', () => {
  it.each(['pending', 'quarantined'] as const)('is what a %s device gets, told in WELCOME', (standing) => {
    const { device, coordinator, up, down, welcomed } = pair({ standing });
    expect(welcomed).toMatchObject([{ kind: 'live', welcome: { standing } }]);
    expect(([0, 1, 2, 3] as const).map((lane) => [device.room(lane) > 0, coordinator.room(lane) > 0])).toEqual([
      [true, true],
      [false, false],
      [false, false],
      [false, false],
    ]);
    for (const lane of [0, 1, 2, 3] as const) {
      device.enqueue(lane, 1, rows(2));
      coordinator.enqueue(lane, 1, rows(1));
    }
    expect(received(up(1))).toEqual([[0, 2]]);
    expect(received(down(1))).toEqual([[0, 1]]);
    coordinator.acknowledge(0, 2);
    expect(down(2)).toEqual([{ kind: 'acked', lane: 0, upToSeq: 2 }]);
  });

  it('is opened where it stands, once', () => {
    const { device, coordinator, up, down } = pair({ standing: 'pending' });
    coordinator.open();
    coordinator.open();
    expect(kinds(down(1))).toEqual(['opened']);
    expect(device.regarded).toBe('accepted');
    device.enqueue(3, 1, rows(3));
    expect(received(up(2))).toEqual([[3, 3]]);
    expect(closeOf(device.receive(encodeMessage({ type: 'open' }), 3))).toMatchObject({ code: 'protocol-error' });
  });

  const event = (lane: Lane): Message => ({ type: 'event', body: Uint8Array.of(lane, 0) });
  it.each<[string, Message[]]>([
    ['an event of another lane', [event(3)]],
    ['a GAP of another lane', [{ type: 'gap', lane: 1, skipped: 1, reason: 'not-kept' }]],
    ['an ACK of another lane', [{ type: 'ack', lane: 2, count: 1 }]],
    ['a WANT', [{ type: 'want', id: 1, sha256: new Uint8Array(32), offset: 0, length: 1 }]],
  ])('ends at %s, and nothing of it is handed on', (_, messages) => {
    const { coordinator } = pair({ standing: 'quarantined' });
    const effects = coordinator.receive(Buffer.concat(messages.map(encodeMessage)), 1);
    expect(kinds(effects)).toEqual(['closed']);
    expect(closeOf(effects)).toMatchObject({ code: 'protocol-error' });
  });
});

describe('credit', () => {
  it('is never exceeded, comes back with ACK, and one row always may go', () => {
    const { device, coordinator, up, down } = pair({ creditBytes: 100 });
    device.enqueue(3, 1, rows(5, 42));
    expect(received(up(1))).toEqual([[3, 2]]);
    coordinator.acknowledge(3, 2);
    down(2);
    expect(received(up(2))).toEqual([[3, 2]]);
    coordinator.acknowledge(3, 4);
    down(3);
    device.enqueue(3, 6, rows(1, 500));
    expect(received(up(3))).toEqual([[3, 1]]);
    coordinator.acknowledge(3, 5);
    down(4);
    expect(received(up(4))).toEqual([[3, 1]]);
  });

  it('does not hold lane 0', () => {
    const { device, up } = pair({ creditBytes: 0 });
    device.enqueue(0, 1, rows(5, 42));
    expect(received(up(1))).toEqual([[0, 5]]);
  });

  it('ends the session of a device that takes more', () => {
    const { device, coordinator } = pair({ creditBytes: 100 });
    device.receive(encodeMessage({ type: 'credit', bytes: 1_000 }), 0); // somebody else's word
    device.enqueue(3, 1, rows(5, 42));
    expect(closeOf(coordinator.receive(device.flush(1, 1e6)!, 1))).toMatchObject({ code: 'protocol-error' });
  });

  it('can be raised and lowered, without harm to what is on its way', () => {
    const { device, coordinator, up, down } = pair({ creditBytes: 100 });
    coordinator.grantCredit(250);
    down(1);
    coordinator.grantCredit(0); // not yet with the device
    device.enqueue(3, 1, rows(6, 42));
    expect(received(up(2))).toEqual([[3, 5]]);
    down(3);
    expect(up(4)).toEqual([]);
  });
});

describe('PAUSE', () => {
  it('holds one lane until its time is over or it is taken back', () => {
    const { device, coordinator, up, down } = pair();
    coordinator.pause(3, 2_000);
    down(10);
    device.enqueue(3, 1, rows(1));
    device.enqueue(2, 1, rows(1));
    expect(received(up(10))).toEqual([[2, 1]]);
    coordinator.acknowledge(2, 1);
    down(11);
    expect(device.deadlineMs()).toBe(2_010);
    device.tick(2_009);
    expect(up(2_009)).toEqual([]);
    device.tick(2_010);
    expect(received(up(2_010))).toEqual([[3, 1]]);
    coordinator.pause(1, 60_000);
    down(2_011);
    device.enqueue(1, 1, rows(1));
    expect(up(2_012)).toEqual([]);
    coordinator.pause(1, 0);
    down(2_013);
    expect(received(up(2_014))).toEqual([[1, 1]]);
  });

  it('is not for a device to say', () => {
    const { coordinator } = pair();
    expect(closeOf(coordinator.receive(encodeMessage({ type: 'pause', lane: 3, ms: 1 }), 1))).toMatchObject({
      code: 'protocol-error',
    });
  });
});

describe('NACK', () => {
  it('names the row whatever was acknowledged in between, and its detail is cut to 64 bytes', () => {
    const { device, coordinator, up, down } = pair();
    device.enqueue(2, 1, rows(4));
    up(1);
    coordinator.acknowledge(2, 1);
    coordinator.flush(1, 0); // the ACK has left, and is lost to this test
    coordinator.nack(2, 3, { class: 'reject', code: 1, retryAfterMs: 0, detail: 'é'.repeat(80) });
    coordinator.acknowledge(2, 4);
    device.receive(encodeMessage({ type: 'ack', lane: 2, count: 1 }), 2);
    const effects = down(2);
    expect(effects).toMatchObject([
      { kind: 'nacked', seq: 3, nack: { class: 'reject', ahead: 1, detail: 'é'.repeat(32) } },
      { kind: 'acked', lane: 2, upToSeq: 4 },
    ]);
    coordinator.nack(2, 4, { class: 'reject', code: 1, retryAfterMs: 0, detail: '' });
    expect(coordinator.pending).toBe(false); // acknowledged already: there is no such row any more
  });

  it('of what was never sent is a protocol error', () => {
    const { device } = pair();
    const nack = { type: 'nack', lane: 2, class: 'reject', ahead: 0, code: 0, retryAfterMs: 0, detail: '' } as const;
    expect(closeOf(device.receive(encodeMessage(nack), 1))).toMatchObject({ code: 'protocol-error' });
  });
});

describe('a probe', () => {
  it('is answered by a device that lives, and tells so once', () => {
    const { device, coordinator, up, down } = pair();
    coordinator.probe();
    down(1);
    expect(kinds(up(2))).toEqual(['pong']);
    expect(device.state).toBe('live');
  });
});

describe('the adaptive keepalive', () => {
  it('grows with each answered ping, and the coordinator bears the longer silence from that ping on', () => {
    const interval = new KeepaliveInterval({ startMs: 240_000, minMs: 1_000, maxMs: 1_680_000 });
    const { device, coordinator, up, down } = pair({ interval });
    expect([device.deadlineMs(), coordinator.deadlineMs()]).toEqual([240_000, 380_000]);
    device.tick(240_000);
    up(240_000);
    down(240_000);
    expect([device.deadlineMs(), coordinator.deadlineMs()]).toEqual([600_000, 800_000]);
    device.tick(600_000);
    expect(closeOf(device.tick(620_000))).toMatchObject({ code: 'timeout' });
    expect(interval.currentMs).toBe(240_000);
  });

  it('never goes beyond what the coordinator bears', () => {
    const { coordinator } = pair();
    expect(closeOf(coordinator.receive(encodeMessage({ type: 'ping', keepaliveMs: 1_680_001 }), 1))).toMatchObject({
      code: 'protocol-error',
    });
  });
});

describe('negotiation', () => {
  it.each([
    [1, 1, 1, 1, 1],
    [1, 3, 1, 2, 2],
    [2, 3, 1, 2, 2],
    [1, 1, 1, 2, 1],
    [3, 4, 1, 2, undefined],
    [0, 0, 1, 2, undefined],
    [2, 1, 1, 2, undefined],
  ])('of %i to %i with %i to %i', (minVersion, maxVersion, min, max, expected) => {
    expect(commonVersion({ minVersion, maxVersion }, { min, max })).toBe(expected);
  });

  it('keeps the features that both have, also above 2^32', () => {
    expect(commonFeatures(0b101, 0b110)).toBe(0b100);
    expect(commonFeatures(2 ** 52 + 1, 2 ** 52 + 2)).toBe(2 ** 52);
  });

  const hello: Hello = {
    type: 'hello',
    minVersion: 1,
    maxVersion: 9,
    features: 0b1111,
    keepaliveMs: 1,
    extensions: [],
    ...greeting,
  };

  it('answers a later device in version 1 with none of its unknown features', () => {
    const coordinator = new CoordinatorSession(option, 0);
    expect(kinds(coordinator.receive(encodeMessage(hello), 0))).toEqual(['hello']);
    coordinator.admit(admission);
    const device = new DeviceSession(greeting, option, 0);
    expect(device.receive(coordinator.flush(0, 1e6)!, 0)).toMatchObject([
      { kind: 'live', welcome: { version: 1, features: spokenFeatures } },
    ]);
  });

  it('tells a device of another time which versions are spoken, with a long retry hint', () => {
    const coordinator = new CoordinatorSession(option, 0);
    const effects = coordinator.receive(encodeMessage({ ...hello, minVersion: 7 }), 0);
    expect(closeOf(effects)).toMatchObject({ code: 'unsupported-protocol', retryAfterMs: 3_600_000 });
  });

  it.each([
    ['a version', { version: 2 }],
    ['a feature', { features: 4 }],
  ])('ends at %s that was never offered', (_, more) => {
    const device = new DeviceSession(greeting, option, 0);
    const welcome: Message = {
      type: 'welcome',
      version: 1,
      features: 0,
      standing: 'accepted',
      coordinatorInstanceId: 9n,
      sessionId: 1,
      eventCursor: [0, 0, 0, 0],
      keepaliveMs: 1,
      creditBytes: 1,
      maxFrameBytes: 1_048_576,
      serverTimeMs: 1,
      extensions: [],
      ...more,
    };
    expect(closeOf(device.receive(encodeMessage(welcome), 0))).toMatchObject({ code: 'protocol-error' });
  });
});
