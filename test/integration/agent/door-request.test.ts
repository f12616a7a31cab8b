import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDoor, type DoorClient, type RequestRow } from '../../../src/door/index.ts';
import type { AcceptsEvent, ReplyEvent, SchemaEvent } from '../../../src/protocol/event.ts';
import type { ProductRequest } from '../../../src/protocol/request.ts';
import { requestSchemas } from '../../../src/protocol/request.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { openBench, type DoorBench, type DoorBenchOption } from '../../support/door-bench.ts';
import { eventually } from '../../support/eventually.ts';

let parts: AgentParts;
let bench: DoorBench;
const clients: DoorClient[] = [];

beforeEach(async () => {
  parts = await agentParts();
  bench = await openBench(parts);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await bench.door.stop();
  await parts[Symbol.asyncDispose]();
});

async function program(): Promise<DoorClient> {
  const client = await openDoor({ socket: bench.socket });
  clients.push(client);
  return client;
}

async function restart(option: DoorBenchOption = {}): Promise<void> {
  await bench.door.stop();
  bench = await openBench(parts, option);
}

function request(requestId: string, more: Partial<ProductRequest> = {}): void {
  const whole = { requestId, type: 'valve.Close', key: 'v-1', value: { slow: true }, expiresAtMs: Date.now() + 60_000 };
  void bench.door.handlers['product.request']!({ ...whole, ...more }, () => {
    expect(parts.database.isTransaction).toBe(true);
  });
}

const replies = () => parts.events<ReplyEvent>(0, 'flotilla.reply');
const announced = () => parts.events<AcceptsEvent>(0, 'flotilla.accepts').map(({ accepts }) => Object.keys(accepts));
const own = Object.keys(requestSchemas);
const next = async (rows: AsyncGenerator<RequestRow>) => (await rows.next()).value as RequestRow;

describe('requests of the product', () => {
  it('are given to the program that takes their type, one at a time, and end with its answer', async () => {
    const valve = await program();
    const rows = valve.acceptRequests(['valve.Close', 'valve.Open']);
    request('q-1');
    request('q-2', { type: 'valve.Open', key: '', value: null });
    const first = await next(rows);
    expect(first).toEqual({
      requestId: 'q-1',
      type: 'valve.Close',
      key: 'v-1',
      value: { slow: true },
      expiresAtMs: expect.any(Number),
      attempt: 1,
    });
    await valve.done('q-1', { turned: 90 });
    expect(await next(rows)).toMatchObject({ requestId: 'q-2' });
    await valve.failed('q-2', 'it is stuck');
    expect(replies()).toEqual([
      { requestId: 'q-1', type: 'valve.Close', outcome: 'done', value: { turned: 90 } },
      { requestId: 'q-2', type: 'valve.Open', outcome: 'failed', reason: 'it is stuck' },
    ]);
    await expect(valve.done('q-1')).rejects.toMatchObject({ code: 'request-over', fault: 'refused' });
    // The same id again, as after a coordinator that was set back.
    request('q-1');
    expect(replies()).toHaveLength(2);
  });

  it('go to exactly one of several programs, as many at a time as each wants', async () => {
    const given: string[] = [];
    const run = async (max: number) => {
      const client = await program();
      let held = 0;
      let most = 0;
      for await (const { requestId } of client.acceptRequests(['valve.Close'], { max })) {
        given.push(requestId);
        held += 1;
        most = Math.max(most, held);
        setImmediate(() => {
          held -= 1;
          void client.done(requestId);
        });
      }
      return most;
    };
    const runs = [run(1), run(1), run(4)];
    for (let n = 0; n < 60; n += 1) request(`q-${n}`);
    await eventually('all are answered', () => replies().length === 60);
    expect(new Set(given).size).toBe(60);
    expect(given).toHaveLength(60);
    for (const client of clients.splice(0)) await client.close();
    const [one, two, four] = await Promise.all(runs);
    expect([one, two]).toEqual([1, 1]);
    expect(four).toBeLessThanOrEqual(4);
  });

  it('of a program that dies are given once more, then they are unknown', async () => {
    const first = await program();
    const rows = first.acceptRequests(['valve.Close']);
    request('q-1');
    await next(rows);
    await first.close();
    const second = await program();
    const again = second.acceptRequests(['valve.Close']);
    expect(await next(again)).toMatchObject({ requestId: 'q-1', attempt: 2 });
    expect(replies()).toEqual([]);
    await second.close();
    await eventually('it is told', () => replies().length === 1);
    expect(replies()).toMatchObject([
      { requestId: 'q-1', outcome: 'unknown', reason: expect.stringContaining('2 times') },
    ]);
    request('q-2');
    const third = await program();
    expect(await next(third.acceptRequests(['valve.Close']))).toMatchObject({ requestId: 'q-2', attempt: 1 });
  });

  it('survive the agent: a program that is there again tells what came of it before it is given anew', async () => {
    const valve = await program();
    const rows = valve.acceptRequests(['valve.Close'], { max: 2 });
    request('q-1');
    request('q-2');
    await next(rows);
    await next(rows);
    request('q-3');
    clients.length = 0;
    await restart();
    const back = await program();
    await back.done('q-1', 'just before');
    const again = back.acceptRequests(['valve.Close'], { max: 2 });
    expect([await next(again), await next(again)]).toMatchObject([
      { requestId: 'q-2', attempt: 2 },
      { requestId: 'q-3', attempt: 1 },
    ]);
    clients.length = 0;
    await restart();
    // Given twice, and no program is left that could tell.
    expect(replies()).toMatchObject([{ requestId: 'q-1' }, { requestId: 'q-2', outcome: 'unknown' }]);
  });

  it('expire by the coordinator’s time; one that was given and not answered is unknown', async () => {
    request('q-1', { expiresAtMs: Date.now() - 1 });
    expect(replies()).toMatchObject([{ requestId: 'q-1', outcome: 'expired' }]);
    const valve = await program();
    const rows = valve.acceptRequests(['valve.Close']);
    const expiresAtMs = Date.now() + 2_000; // of both, or the end of one makes room for the other
    request('q-2', { expiresAtMs });
    request('q-3', { expiresAtMs });
    expect(await next(rows)).toMatchObject({ requestId: 'q-2' });
    await eventually('both have ended', () => replies().length === 3);
    expect(replies().slice(1)).toMatchObject([
      { requestId: 'q-2', outcome: 'unknown', reason: 'the program did not answer in time' },
      { requestId: 'q-3', outcome: 'expired' },
    ]);
    await expect(valve.done('q-2')).rejects.toMatchObject({ code: 'request-over' });
  });

  it('wait while the time is not known', async () => {
    parts.link.turn('waiting');
    request('q-1', { expiresAtMs: 1 });
    const valve = await program();
    const rows = valve.acceptRequests(['valve.Close']);
    request('q-2');
    expect(replies()).toEqual([]);
    parts.link.turn('live');
    expect(await next(rows)).toMatchObject({ requestId: 'q-2' });
    expect(replies()).toMatchObject([{ requestId: 'q-1', outcome: 'expired' }]);
  });

  it('with an answer that is too large stay with their program', async () => {
    const valve = await program();
    const rows = valve.acceptRequests(['valve.Close']);
    request('q-1');
    await next(rows);
    await expect(valve.done('q-1', 'x'.repeat(262_144))).rejects.toMatchObject({ code: 'reply-too-large' });
    await valve.failed('q-1', 'too much to tell');
    expect(replies()).toMatchObject([{ outcome: 'failed' }]);
  });
});

describe('what the device takes', () => {
  it('is announced at the first start, and when the types, the version or the coordinator are others', async () => {
    expect(announced()).toEqual([own]);
    await restart();
    expect(announced()).toHaveLength(1);
    await restart({ agentVersion: '2.0.0' });
    expect(parts.events<AcceptsEvent>(0, 'flotilla.accepts').at(-1)?.agentVersion).toBe('2.0.0');
    const valve = await program();
    void valve
      .acceptRequests(['valve.Open', 'valve.Close'])
      .next()
      .catch(() => undefined);
    await eventually('it is announced', () => announced().length === 3);
    expect(announced().at(-1)).toEqual([...own, 'product.request:valve.Close', 'product.request:valve.Open']);
    // A program that restarts changes nothing, nor does one that takes a part.
    await valve.close();
    const again = await program();
    void again
      .acceptRequests(['valve.Open'])
      .next()
      .catch(() => undefined);
    await again.status();
    expect(announced()).toHaveLength(3);
    await again.withdrawRequests(['valve.Open']);
    expect(announced().at(-1)).toEqual([...own, 'product.request:valve.Close']);
    // The first coordinator gets what waits in the log; another one is told anew.
    parts.log.meet(7n, [0, 0, 0, 0]);
    parts.link.turn('live');
    await again.status();
    expect(announced()).toHaveLength(4);
    parts.log.meet(8n, [0, 0, 0, 0]);
    parts.link.turn('live');
    await eventually('it is told to the other coordinator', () => announced().length === 5);
  });
});

describe('schema.tell', () => {
  it('is answered with the text, also of a schema whose file an update has taken away', async () => {
    const text = '{"type":"record","name":"a.B","doc":"kept","fields":[{"name":"x","type":"int"}]}';
    await restart({ agentVersion: '1.2.3', schemas: { 'a.avsc': text.replaceAll(',', ' ,\n') } });
    const { fingerprint } = bench.door.status().schemas[0]!;
    await restart({ schemas: { 'a.avsc': text.replace('"int"', '"long"') } });
    expect(bench.door.status().schemas[0]!.fingerprint).not.toBe(fingerprint);
    expect(bench.shelf.catalogue().size).toBe(2);
    let settled = 0;
    const tell = (wanted: string) => bench.door.handlers['schema.tell']!({ fingerprint: wanted }, () => (settled += 1));
    void tell(fingerprint);
    void tell('0123456789abcdef');
    expect(settled).toBe(2);
    expect(parts.events<SchemaEvent>(0, 'flotilla.schema')).toEqual([
      { fingerprint, text },
      { fingerprint: '0123456789abcdef' },
    ]);
  });
});
