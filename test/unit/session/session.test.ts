import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import type { Lane, Row } from '../../../src/protocol/lane.ts';
import { CoordinatorSession } from '../../../src/session/coordinator-session.ts';
import { DeviceSession, type DeviceGreeting } from '../../../src/session/device-session.ts';
import type { Effect } from '../../../src/session/effect.ts';
import { clip } from '../../../src/session/clip.ts';

const option = { keepaliveMs: 240_000, answerTimeoutMs: 20_000, helloTimeoutMs: 10_000 };
const greeting: DeviceGreeting = {
  instanceId: 1n,
  knownCoordinatorInstanceId: 0n,
  nextSeq: [1, 1, 1, 1],
  requestCursor: [0, 0, 0, 0],
  agentVersion: '1.0.0',
  newInstance: false,
};
const admission = { coordinatorInstanceId: 9n, sessionId: 1, eventCursor: [0, 0, 0, 0], serverTimeMs: 1_000 };
const rowOf = (text: string): Row => ({ type: 't', key: '', timestampMs: 0, schema: 0n, payload: Buffer.from(text) });
const sizedRow = (bytes: number): Row => ({ ...rowOf(''), payload: new Uint8Array(bytes) });
const kinds = (effects: Effect[]): string[] => effects.map(({ kind }) => kind);
const closeOf = (effects: Effect[]) => effects.find((effect) => effect.kind === 'closed')?.close;

/** Both ends, live, joined by hand. */
function livePair(more: Partial<DeviceGreeting> = {}, cursors: Partial<typeof admission> = {}) {
  const device = new DeviceSession({ ...greeting, ...more }, option, 0);
  const coordinator = new CoordinatorSession(option, 0);
  coordinator.receive(device.flush(0, 16_384)!, 0);
  coordinator.admit({ ...admission, ...cursors });
  const effects = device.receive(coordinator.flush(0, 16_384)!, 0);
  return { device, coordinator, effects };
}

describe('the handshake', () => {
  it('goes HELLO, decision, WELCOME, and tells both sides where they stand', () => {
    const device = new DeviceSession({ ...greeting, nextSeq: [5, 1, 1, 1] }, option, 0);
    const coordinator = new CoordinatorSession(option, 0);
    const [hello] = coordinator.receive(device.flush(0, 16_384)!, 0);
    expect(hello).toMatchObject({ kind: 'hello', hello: { instanceId: 1n, nextSeq: [5, 1, 1, 1] } });
    expect([device.state, coordinator.state]).toEqual(['greeting', 'deciding']);
    coordinator.admit({ ...admission, eventCursor: [4, 0, 0, 0] });
    const effects = device.receive(coordinator.flush(0, 16_384)!, 0);
    expect(kinds(effects)).toEqual(['live']);
    expect(device.queuedSeq(0)).toBe(4);
    expect([device.state, coordinator.state]).toEqual(['live', 'live']);
  });

  it('ends in a refusal with its hint', () => {
    const device = new DeviceSession(greeting, option, 0);
    const coordinator = new CoordinatorSession(option, 0);
    coordinator.receive(device.flush(0, 16_384)!, 0);
    const ours = closeOf(coordinator.refuse('quarantined', 5_000, 'x'.repeat(100)));
    const theirs = closeOf(device.receive(coordinator.flush(0, 16_384)!, 0));
    expect(ours).toMatchObject({ by: 'us', rejected: true, code: 'quarantined' });
    expect(theirs).toEqual({
      by: 'peer',
      rejected: true,
      code: 'quarantined',
      retryAfterMs: 5_000,
      detail: 'x'.repeat(64),
    });
    expect(coordinator.admit(admission)).toEqual([]);
  });

  it('refuses a version that it does not speak, and says which it does', () => {
    const coordinator = new CoordinatorSession(option, 0);
    const bytes = encodeMessage({
      ...greeting,
      type: 'hello',
      minVersion: 2,
      maxVersion: 3,
      features: 0,
      keepaliveMs: 0,
      extensions: [],
    });
    expect(closeOf(coordinator.receive(bytes, 0))).toMatchObject({ code: 'unsupported-protocol' });
    expect(coordinator.flush(0, 16_384)![0]! >> 4).toBe(3); // REJECT
  });

  it('is refused by a device that is to send smaller frames than its log may need', () => {
    const device = new DeviceSession(greeting, option, 0);
    device.flush(0, 16_384);
    const { eventCursor, sessionId, serverTimeMs, coordinatorInstanceId } = admission;
    const welcome = { eventCursor, sessionId, serverTimeMs, coordinatorInstanceId, keepaliveMs: 1, creditBytes: 1 };
    const bytes = encodeMessage({
      ...welcome,
      type: 'welcome',
      version: 1,
      features: 0,
      standing: 'accepted',
      maxFrameBytes: 65_536,
      extensions: [],
    });
    expect(closeOf(device.receive(bytes, 0))).toMatchObject({ by: 'us', code: 'protocol-error' });
  });

  it('times out on both sides', () => {
    const coordinator = new CoordinatorSession(option, 0);
    expect(coordinator.deadlineMs()).toBe(10_000);
    expect(coordinator.tick(9_999)).toEqual([]);
    expect(closeOf(coordinator.tick(10_000))).toMatchObject({ code: 'timeout' });
    expect(coordinator.flush(10_000, 16_384)).toBeUndefined(); // a stranger gets no answer
    const device = new DeviceSession(greeting, option, 0);
    expect(closeOf(device.tick(device.deadlineMs()))).toMatchObject({ code: 'timeout', detail: 'no answer to HELLO' });
  });

  it('stops a device whose log is behind its own past before it sends anything', () => {
    const { device, effects } = livePair({ nextSeq: [3, 1, 1, 1] }, { eventCursor: [3, 0, 0, 0] });
    expect(kinds(effects)).toEqual(['closed']);
    expect(closeOf(effects)).toMatchObject({ by: 'us', code: 'instance-mismatch' });
    device.enqueue(0, 3, [rowOf('x')]);
    expect(device.flush(0, 16_384)![0]! >> 4).toBe(14); // GOAWAY alone
    expect(device.flush(0, 16_384)).toBeUndefined();
  });

  it('counts requests from 0 for a coordinator that the device has not met', () => {
    const met = livePair({ knownCoordinatorInstanceId: 9n, requestCursor: [7, 0, 0, 0] });
    met.coordinator.enqueue(0, 7, [rowOf('seven'), rowOf('eight')]);
    expect(met.device.receive(met.coordinator.flush(0, 16_384)!, 0)).toMatchObject([
      { kind: 'rows', firstSeq: 8, rows: { length: 1 } },
    ]);
    const stranger = livePair({ knownCoordinatorInstanceId: 8n, requestCursor: [7, 0, 0, 0] });
    stranger.coordinator.enqueue(0, 1, [rowOf('one')]);
    expect(stranger.device.receive(stranger.coordinator.flush(0, 16_384)!, 0)).toMatchObject([
      { kind: 'rows', firstSeq: 1 },
    ]);
  });
});

describe('rows and acknowledgements', () => {
  it('cost one byte to acknowledge one on lane 0, and one frame for many', () => {
    const { device, coordinator } = livePair();
    device.enqueue(0, 1, [rowOf('a')]);
    coordinator.receive(device.flush(0, 16_384)!, 0);
    expect(coordinator.flush(0, 16_384)).toBeUndefined(); // nothing is said before it is stored
    coordinator.acknowledge(0, 1);
    const ack = coordinator.flush(0, 16_384)!;
    expect(Array.from(ack)).toEqual([0x60]);
    expect(device.receive(ack, 0)).toEqual([{ kind: 'acked', lane: 0, upToSeq: 1 }]);
    device.enqueue(
      0,
      2,
      Array.from({ length: 100 }, () => rowOf('b')),
    );
    coordinator.receive(device.flush(0, 16_384)!, 0);
    coordinator.acknowledge(0, 101);
    expect(coordinator.flush(0, 16_384)).toHaveLength(3);
  });

  it('say a jump in the numbers, and acknowledge over it', () => {
    const { device, coordinator } = livePair({ nextSeq: [10, 1, 1, 1], newInstance: true });
    device.enqueue(0, 5, [rowOf('five'), rowOf('six')]);
    const effects = coordinator.receive(device.flush(0, 16_384)!, 0);
    expect(effects).toMatchObject([
      { kind: 'gap', lane: 0, upToSeq: 4, reason: 'new-instance' },
      { kind: 'rows', lane: 0, firstSeq: 5, rows: { length: 2 } },
    ]);
    coordinator.acknowledge(0, 99); // more than was ever received
    expect(device.receive(coordinator.flush(0, 16_384)!, 0)).toEqual([{ kind: 'acked', lane: 0, upToSeq: 6 }]);
  });

  it('say each reason of what is left out, also when nothing follows, and weigh it against the credit', () => {
    const { device, coordinator } = livePair();
    device.leaveOut(3, 2, 'superseded');
    device.leaveOut(3, 3, 'superseded'); // joins the one before
    device.leaveOut(3, 7, 'disk-pressure');
    device.enqueue(3, 8, [rowOf('eight')]);
    device.leaveOut(3, 9, 'disk-pressure');
    device.leaveOut(3, 5, 'withdrawn'); // has left the queue long ago
    expect(coordinator.receive(device.flush(0, 16_384)!, 0)).toMatchObject([
      { kind: 'gap', lane: 3, upToSeq: 3, reason: 'superseded' },
      { kind: 'gap', lane: 3, upToSeq: 7, reason: 'disk-pressure' },
      { kind: 'rows', lane: 3, firstSeq: 8 },
      { kind: 'gap', lane: 3, upToSeq: 9, reason: 'disk-pressure' },
    ]);
    coordinator.acknowledge(3, 9);
    expect(device.receive(coordinator.flush(0, 16_384)!, 0)).toEqual([{ kind: 'acked', lane: 3, upToSeq: 9 }]);
    device.leaveOut(3, 10, 'disk-pressure'); // the same reason once more, after what was at the end
    expect(coordinator.receive(device.flush(0, 16_384)!, 0)).toMatchObject([{ kind: 'gap', upToSeq: 10 }]);
    coordinator.grantCredit(8);
    const flood = Array.from({ length: 200_000 }, () =>
      encodeMessage({ type: 'gap', lane: 3, skipped: 1, reason: 'superseded' }),
    );
    expect(closeOf(coordinator.receive(Buffer.concat(flood), 0))).toMatchObject({ by: 'us', code: 'protocol-error' });
  });

  it('end the session when the peer acknowledges what was never sent, and say why', () => {
    const { device, coordinator } = livePair();
    const effects = device.receive(encodeMessage({ type: 'ack', lane: 2, count: 1 }), 0);
    expect(closeOf(effects)).toMatchObject({ by: 'us', code: 'protocol-error' });
    const told = closeOf(coordinator.receive(device.flush(0, 16_384)!, 0));
    expect(told).toMatchObject({ by: 'peer', rejected: false, code: 'protocol-error' });
    expect(told!.detail).toContain('ACK up to 1');
  });

  it('arrive in order and once, whatever the cuts, the delays of the disk and the lost connections', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          act: fc.constant('append' as const),
          lane: fc.constantFrom<Lane>(0, 1, 2, 3),
          bytes: fc.nat(5_000),
        }),
      },
      {
        weight: 8,
        arbitrary: fc.record({ act: fc.constant('carry' as const), bytes: fc.integer({ min: 1, max: 4_000 }) }),
      },
      { weight: 3, arbitrary: fc.record({ act: fc.constant('commit' as const) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('cut' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World();
        for (const one of steps) {
          world.nowMs += 7;
          if (one.act === 'append') world.logs[one.lane].push(sizedRow(one.bytes));
          else if (one.act === 'carry') world.carry(one.bytes);
          else if (one.act === 'commit') world.commit();
          else world.reconnect();
        }
        for (let n = 0; n < 2_000 && !world.settled; n += 1) {
          world.nowMs += 7;
          world.carry(100_000);
          world.commit();
        }
        for (const lane of [0, 1, 2, 3] as const) {
          expect(world.stored[lane].map(({ length }) => length)).toEqual(
            world.logs[lane].map(({ payload }) => payload.length),
          );
          expect(world.acked[lane]).toBe(world.logs[lane].length);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** A device with a log, a coordinator with a disk that is slow, and a line that is cut now and then. */
class World {
  nowMs = 0;
  readonly logs: [Row[], Row[], Row[], Row[]] = [[], [], [], []];
  readonly stored: [Uint8Array[], Uint8Array[], Uint8Array[], Uint8Array[]] = [[], [], [], []];
  readonly acked = [0, 0, 0, 0];
  #device!: DeviceSession;
  #coordinator!: CoordinatorSession;
  #up = Buffer.alloc(0);
  #down = Buffer.alloc(0);
  #uncommitted: { lane: Lane; rows: Row[]; firstSeq: number }[] = [];

  constructor() {
    this.reconnect();
  }

  get settled(): boolean {
    return this.logs.every((log, lane) => this.acked[lane] === log.length);
  }

  reconnect(): void {
    this.#up = Buffer.alloc(0);
    this.#down = Buffer.alloc(0);
    this.#uncommitted = [];
    this.#device = new DeviceSession(
      { ...greeting, nextSeq: this.logs.map((log) => log.length + 1) },
      option,
      this.nowMs,
    );
    this.#coordinator = new CoordinatorSession(option, this.nowMs);
  }

  carry(bytes: number): void {
    for (const lane of [0, 1, 2, 3] as const) {
      const after = this.#device.queuedSeq(lane);
      if (this.#device.room(lane) > 0) this.#device.enqueue(lane, after + 1, this.logs[lane].slice(after, after + 3));
    }
    this.#up = Buffer.concat([this.#up, this.#device.flush(this.nowMs, 4_096) ?? Buffer.alloc(0)]);
    this.#down = Buffer.concat([this.#down, this.#coordinator.flush(this.nowMs, 4_096) ?? Buffer.alloc(0)]);
    for (const effect of this.#coordinator.receive(Buffer.from(this.#up.subarray(0, bytes)), this.nowMs)) {
      if (effect.kind === 'hello')
        this.#coordinator.admit({ ...admission, eventCursor: this.stored.map((rows) => rows.length) });
      else if (effect.kind === 'rows') this.#uncommitted.push(effect);
      else throw new Error(effect.kind);
    }
    for (const effect of this.#device.receive(Buffer.from(this.#down.subarray(0, bytes)), this.nowMs)) {
      if (effect.kind === 'acked') this.acked[effect.lane] = effect.upToSeq;
      else if (effect.kind === 'live') effect.welcome.eventCursor.forEach((seq, lane) => (this.acked[lane] = seq));
      else throw new Error(effect.kind);
    }
    this.#up = this.#up.subarray(bytes);
    this.#down = this.#down.subarray(bytes);
  }

  commit(): void {
    for (const { lane, rows, firstSeq } of this.#uncommitted) {
      const stored = this.stored[lane];
      rows.forEach((row, n) => {
        if (firstSeq + n === stored.length + 1) stored.push(row.payload);
        else throw new Error(`row ${firstSeq + n} of lane ${lane} after ${stored.length}`);
      });
      this.#coordinator.acknowledge(lane, stored.length);
    }
    this.#uncommitted = [];
  }
}

describe('urgency', () => {
  it('sends lane 0 first, and still one in eight turns of the least urgent', () => {
    const { device, coordinator } = livePair();
    // Rows so large that each fills a frame.
    const payload = randomBytes(6_000);
    device.enqueue(
      0,
      1,
      Array.from({ length: 16 }, () => ({ ...rowOf('urgent'), payload })),
    );
    device.enqueue(
      3,
      1,
      Array.from({ length: 16 }, () => ({ ...rowOf('bulk'), payload })),
    );
    const lanes = (): Lane[] =>
      coordinator
        .receive(device.flush(0, 1e9)!, 0)
        .flatMap((effect) => (effect.kind === 'rows' ? effect.rows.map(() => effect.lane) : []));
    expect(lanes()).toEqual([0, 0, 0, 0, 0, 0, 0, 3, ...Array.from({ length: 9 }, () => 0)]);
    coordinator.acknowledge(3, 1);
    device.receive(coordinator.flush(1, 1e9)!, 1);
    expect(new Set(lanes())).toEqual(new Set([3]));
  });

  it('keeps an urgent event from waiting behind more than a part on a link of 9,600 bit/s', () => {
    const bytesPerMs = 1.2;
    const { device, coordinator } = livePair();
    device.want(new Uint8Array(32), 0, 262_144);
    const [want] = coordinator.receive(device.flush(0, 16_384)!, 0);
    const { id } = want as Extract<Effect, { kind: 'want' }>;
    let down = Buffer.alloc(0); // what is in the modem
    let worstBytes = 0;
    let provided = 0;
    for (let nowMs = 0; nowMs < 200_000; nowMs += 100) {
      if (provided < 262_144 && coordinator.partRoom() >= 16_384) {
        coordinator.provide(id, new Uint8Array(16_384));
        provided += 16_384;
      }
      down = Buffer.concat([down, coordinator.flush(nowMs, 16_384) ?? Buffer.alloc(0)]);
      worstBytes = Math.max(worstBytes, nowMs > 60_000 ? down.length : 0);
      const carried = Buffer.from(down.subarray(0, bytesPerMs * 100));
      down = down.subarray(carried.length);
      device.receive(carried, nowMs);
      coordinator.receive(device.flush(nowMs, 16_384) ?? new Uint8Array(), nowMs);
    }
    expect(worstBytes).toBeGreaterThan(0);
    expect(worstBytes).toBeLessThan(4_200);
  });

  it('opens the window on a fast link until it no longer slows it down', () => {
    const { device, coordinator } = livePair();
    let nowMs = 0;
    for (let n = 1; n <= 300; n += 1) {
      device.enqueue(3, n, [sizedRow(4_000)]);
      nowMs += 5;
      coordinator.receive(device.flush(nowMs, 1e9) ?? new Uint8Array(), nowMs);
      coordinator.acknowledge(3, n);
      device.receive(coordinator.flush(nowMs, 1e9) ?? new Uint8Array(), nowMs);
    }
    device.enqueue(
      3,
      301,
      Array.from({ length: 30 }, () => ({ ...sizedRow(4_000), payload: randomBytes(4_000) })),
    );
    expect(device.flush(nowMs, 1e9)!.length).toBeGreaterThan(100_000);
  });
});

describe('keepalive', () => {
  it('pings only when nothing was received, and ends when that stays unanswered', () => {
    const { device, coordinator } = livePair();
    device.receive(encodeMessage({ type: 'ping', keepaliveMs: 0 }), 200_000);
    device.flush(200_000, 16_384);
    expect(device.deadlineMs()).toBe(440_000);
    expect(device.tick(439_999)).toEqual([]);
    expect(device.tick(440_000)).toEqual([]);
    const ping = device.flush(440_000, 16_384)!;
    expect(Array.from(ping)).toEqual([0x80]);
    coordinator.receive(ping, 440_000);
    const pong = coordinator.flush(440_000, 16_384)!;
    expect(Array.from(pong)).toEqual([0x90]);
    expect(device.deadlineMs()).toBe(460_000);
    device.receive(pong, 441_000);
    expect(device.deadlineMs()).toBe(681_000);
    device.tick(681_000);
    expect(closeOf(device.tick(701_000))).toMatchObject({ by: 'us', code: 'timeout' });
  });

  it('asks sooner when something waits for an answer', () => {
    const { device } = livePair();
    device.enqueue(0, 1, [rowOf('x')]);
    device.flush(1_000, 16_384);
    expect(device.deadlineMs()).toBe(21_000);
  });

  it('lets the coordinator end a silent device, without a ping of its own at rest', () => {
    const { coordinator } = livePair();
    expect(coordinator.deadlineMs()).toBe(380_000);
    expect(coordinator.tick(379_999)).toEqual([]);
    expect(coordinator.flush(379_999, 16_384)).toBeUndefined();
    expect(closeOf(coordinator.tick(380_000))).toMatchObject({ code: 'timeout' });
  });

  it('refuses a PONG that nobody asked for', () => {
    const { device } = livePair();
    expect(closeOf(device.receive(Uint8Array.of(0x90), 0))).toMatchObject({ code: 'protocol-error' });
  });
});

describe('parts', () => {
  it('are bounded, in order, and dropped when cancelled', () => {
    const { device, coordinator } = livePair();
    const id = device.want(new Uint8Array(32), 7, 5_000);
    expect(coordinator.receive(device.flush(0, 16_384)!, 0)).toMatchObject([
      { kind: 'want', id, offset: 7, length: 5_000 },
    ]);
    expect(() => coordinator.provide(id, new Uint8Array(5_001))).toThrow(RangeError);
    expect(coordinator.provide(id, new Uint8Array(5_000).fill(3))).toBe(true);
    const effects = device.receive(coordinator.flush(0, 16_384)!, 0);
    expect(effects).toMatchObject([
      { kind: 'data', id, last: false, bytes: { length: 4_096 } },
      { kind: 'data', id, last: true, bytes: { length: 904 } },
    ]);
    const second = device.want(new Uint8Array(32), 0, 100);
    coordinator.receive(device.flush(0, 16_384)!, 0);
    device.cancelWant(second);
    expect(coordinator.receive(device.flush(0, 16_384)!, 0)).toEqual([{ kind: 'want-cancelled', id: second }]);
    expect(coordinator.provide(second, new Uint8Array(100))).toBe(false);
  });

  it.each([
    ['data that nobody asked for', encodeMessage({ type: 'data', id: 1, bytes: new Uint8Array(3) })],
    ['a refusal that nobody asked for', encodeMessage({ type: 'want-refused', id: 1, code: 'failed' })],
    ['a WANT', encodeMessage({ type: 'want', id: 1, sha256: new Uint8Array(32), offset: 0, length: 1 })],
  ])('end a device session by %s', (_, bytes) => {
    expect(closeOf(livePair().device.receive(bytes, 0))).toMatchObject({ code: 'protocol-error' });
  });

  it.each([
    ['TOOK of what was never sent', [encodeMessage({ type: 'took', bytes: 1 })]],
    ['numbers that jump', [encodeMessage({ type: 'want', id: 2, sha256: new Uint8Array(32), offset: 0, length: 1 })]],
    [
      'five at a time',
      [1, 2, 3, 4, 5].map((id) =>
        encodeMessage({ type: 'want', id, sha256: new Uint8Array(32), offset: 0, length: 1 }),
      ),
    ],
    ['CANCELLED of none', [encodeMessage({ type: 'want-cancelled', id: 1 })]],
    ['DATA', [encodeMessage({ type: 'data', id: 1, bytes: new Uint8Array(3) })]],
  ])('end a coordinator session by %s', (_, frames) => {
    expect(closeOf(livePair().coordinator.receive(Buffer.concat(frames), 0))).toMatchObject({ code: 'protocol-error' });
  });
});

describe('any bytes', () => {
  it('cost the session at most, never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, early) => {
        const sessions = early
          ? [new DeviceSession(greeting, option, 0), new CoordinatorSession(option, 0)]
          : Object.values(livePair()).slice(0, 2);
        for (const session of sessions as (DeviceSession | CoordinatorSession)[]) {
          session.receive(bytes, 1);
          session.tick(2);
          session.flush(3, 16_384);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('clip a reason to 64 bytes between characters', () => {
    expect(clip('é'.repeat(40))).toBe('é'.repeat(32));
    expect(clip('\ud800')).toBe('\ufffd');
  });
});
