import { readFileSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Check } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Door } from '../../../src/agent/door/door.ts';
import {
  ErrorAnswerSchema,
  maxConnections,
  maxInFlight,
  maxLineBytes,
  openDoor,
  StatusSchema,
} from '../../../src/door/index.ts';
import { FlotillaError } from '../../../src/error.ts';
import type { Lane } from '../../../src/protocol/lane.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { openBench, type DoorBench, type DoorBenchOption } from '../../support/door-bench.ts';
import { connectDoor } from '../../support/door-peer.ts';
import { eventually } from '../../support/eventually.ts';

const meterSchema = join(import.meta.dirname, '..', '..', 'vectors', 'wire', 'meter-reading.avsc');

let parts: AgentParts;
let door: Door;
let bench: DoorBench;
let socket: string;

async function open(option: DoorBenchOption = {}): Promise<void> {
  bench = await openBench(parts, option);
  ({ door, socket } = bench);
}

beforeEach(async () => {
  parts = await agentParts();
});
afterEach(async () => {
  await door.stop();
  await parts[Symbol.asyncDispose]();
});

const rows = (lane: Lane = 3) => parts.log.read(lane, 0, 100_000, 1 << 30).rows;
const publish = (id: number, value: unknown = id) => ({ id, verb: 'publish', type: 'a.B', key: 'k', value });

describe('publishing', () => {
  it('answers with lane and seq once the row is on disk, in the lane of its type', async () => {
    await open();
    await using client = await openDoor({ socket });
    expect(await client.publish({ type: 'meter.Reading', key: 'm-1', value: { v: 1 }, timestampMs: 5 })).toEqual({
      lane: 3,
      seq: 1,
    });
    expect(await client.publish({ type: 'pump.Alarm', value: 'hot' })).toEqual({ lane: 1, seq: 1 });
    expect(rows()).toEqual([
      {
        type: 'meter.Reading',
        key: 'm-1',
        timestampMs: 5,
        schema: 0n,
        payload: new Uint8Array(Buffer.from('{"v":1}')),
      },
    ]);
    expect(rows(1)).toMatchObject([{ type: 'pump.Alarm', key: '', timestampMs: expect.any(Number) }]);
    const status = await client.status();
    expect(Check(StatusSchema, status)).toBe(true);
    expect(status).toMatchObject({ agentVersion: '1.2.3', link: { state: 'live' }, pressure: 'none' });
    expect(status.lanes[3]).toEqual({ lane: 3, nextSeq: 2, ackedSeq: 0, waitingRows: 1, waitingBytes: 39 });
  });

  it('writes what several programs bring at once in one transaction', async () => {
    await open();
    using one = await connectDoor(socket);
    using two = await connectDoor(socket);
    const [first, second] = await Promise.all([
      one.ask(...Array.from({ length: 50 }, (_, n) => publish(n))),
      two.ask(...Array.from({ length: 50 }, (_, n) => publish(n))),
    ]);
    const seqs = [...first, ...second].map(({ ok }) => ok.seq);
    expect(new Set(seqs).size).toBe(100);
    // Each program's own order is kept.
    expect(first.map(({ ok }) => ok.seq)).toEqual(first.map(({ ok }) => ok.seq).toSorted((a, b) => a - b));
    expect(bench.transactions).toBeLessThan(20);
  });

  it('takes several rows all or none, and names the one that is wrong', async () => {
    await open();
    await using client = await openDoor({ socket });
    const good = { type: 'a.B', value: 1 };
    await expect(client.publishAll([good, { ...good, key: 'x'.repeat(257) }, good])).rejects.toMatchObject({
      code: 'event-unfit',
      fault: 'usage',
      row: 1,
    });
    expect(rows()).toEqual([]);
    expect(await client.publishAll([good, { type: 'pump.Alarm', value: 2 }, good])).toEqual([
      { lane: 3, seq: 1 },
      { lane: 1, seq: 1 },
      { lane: 3, seq: 2 },
    ]);
  });

  it('refuses what can not travel, and goes on', async () => {
    await open();
    using peer = await connectDoor(socket);
    const deep = JSON.parse('['.repeat(70) + ']'.repeat(70));
    const bad: Record<string, unknown>[] = [
      { type: 'flotilla.boot', value: 1 },
      { type: 'coordinator.x', value: 1 },
      { type: '', value: 1 },
      { type: 'x'.repeat(129), value: 1 },
      { type: '\ud800', value: 1 },
      { type: 'a.B', value: 1, timestampMs: -1 },
      { type: 'a.B', value: 1, timestampMs: 1.5 },
      { type: 'a.B' },
      { type: 'a.B', value: 1, base64: 'AA==' },
      { type: 'a.B', base64: 'AA=' },
      { type: 'a.B', base64: 'AA==' },
      { type: 'a.B', value: deep },
      { type: 'a.B', value: 'x'.repeat(1_100_000) },
    ];
    const answers = await peer.ask(...bad.map((event, id) => ({ id, verb: 'publish', ...event })));
    expect(answers.map(({ error }) => error?.fault)).toEqual(bad.map(() => 'usage'));
    for (const answer of answers) expect(Check(ErrorAnswerSchema, answer)).toBe(true);
    expect(rows()).toEqual([]);
    const largest = Buffer.alloc(1_048_064, 0x20);
    largest[0] = 0x31;
    expect(
      await peer.ask({ id: 'z', verb: 'publish', type: 'a.B', base64: largest.toString('base64') } as never),
    ).toEqual([{ id: 'z', ok: { lane: 3, seq: 1 } }]);
  });
});

describe('schemas', () => {
  const twice = { type: 'record', name: 'meter.Twice', fields: [{ name: 'x', type: 'int' }] };
  const blob = {
    type: 'record',
    name: 'Blob',
    namespace: 'meter',
    fields: [
      { name: 'id', type: { type: 'fixed', name: 'Id', size: 2 } },
      { name: 'data', type: ['null', 'bytes'], default: null },
      { name: 'parts', type: { type: 'array', items: { type: 'map', values: 'long' } }, default: [] },
    ],
  };
  const schemas = {
    'reading.avsc': readFileSync(meterSchema, 'utf8').replace('flotilla.example', 'meter'),
    'blob.avsc': JSON.stringify(blob),
    'meter.Torn.avsc': '{"type": "record", "name": "meter.Torn", "fiel',
    'odd.avsc': '{"type": "record", "name": "meter.Odd", "fields": [{"name": "x", "type": "nothing"}]}',
    'enum.avsc': '{"type": "enum", "name": "meter.Enum", "symbols": ["A"]}',
    'ours.avsc': '{"type": "record", "name": "flotilla.boot", "fields": []}',
    'twice-1.avsc': JSON.stringify(twice),
    'twice-2.avsc': JSON.stringify(twice),
    'large.avsc': `${' '.repeat(70_000)}{}`,
    'readme.txt': 'not a schema',
  };
  const reading = {
    voltage: 231.5,
    current: 1.5,
    power: 347.25,
    pf: 1,
    freq: 50,
    kwhImport: 12.125,
    kwhCredit: 3.5,
    state: 7,
    uptime: 60,
  };

  it('encode values of their type, under the fingerprint that the status tells', async () => {
    await open({ schemas });
    await using client = await openDoor({ socket });
    await client.publish({ type: 'meter.MeterReading', key: 'm-1', value: reading });
    await client.publish({ type: 'meter.Blob', value: { id: '\u0000\u00ff', data: 'hi', parts: [{ a: 1 }] } });
    const known = (await client.status()).schemas;
    expect(known.map(({ type }) => type)).toEqual(['meter.Blob', 'meter.MeterReading']);
    const [first, second] = rows();
    expect(first!.schema).toBe(BigInt(`0x${known[1]!.fingerprint}`));
    expect(first!.payload).toHaveLength(38);
    expect(Buffer.from(second!.payload).toString('hex')).toBe('00ff0204686902020261020000');
  });

  it('refuse a value that does not fit, naming the field', async () => {
    await open({ schemas });
    await using client = await openDoor({ socket });
    const refused = async (type: string, value: unknown) =>
      client.publish({ type, value }).then(
        () => 'stored',
        (error: FlotillaError) => `${error.code} ${error.message}`,
      );
    expect(await refused('meter.MeterReading', { ...reading, state: 1.5 })).toContain(
      'schema-misfit state does not fit',
    );
    expect(await refused('meter.MeterReading', { ...reading, extra: 1 })).toContain('extra does not fit');
    expect(await refused('meter.MeterReading', { voltage: 1 })).toContain('current does not fit');
    expect(await refused('meter.MeterReading', null)).toContain('the value does not fit');
    expect(await refused('meter.Blob', { id: 'abc' })).toContain('id does not fit');
    expect(await refused('meter.Blob', { id: 'a\u0100' })).toContain('id does not fit');
    expect(await refused('meter.Blob', { id: 'ab', parts: [{ a: 1, b: 'x' }] })).toContain('parts.0.b does not fit');
    expect(rows()).toEqual([]);
  });

  it('let a program encode by itself, if it does so by the schema of this device', async () => {
    await open({ schemas });
    await using client = await openDoor({ socket });
    const [blobSchema] = (await client.status()).schemas;
    const schema = blobSchema!.fingerprint;
    const bytes = Buffer.from('00ff0000', 'hex');
    await client.publish({ type: 'meter.Blob', base64: bytes.toString('base64'), schema });
    await client.publish({ type: 'not.known.Here', base64: bytes.toString('base64'), schema: '00000000000000aa' });
    expect(rows().map((row) => row.schema)).toEqual([BigInt(`0x${schema}`), 0xaan]);
    const torn = { type: 'meter.Blob', base64: bytes.subarray(0, 2).toString('base64'), schema };
    await expect(client.publish(torn)).rejects.toMatchObject({ code: 'schema-misfit' });
    await expect(client.publish({ ...torn, schema: '00000000000000aa' })).rejects.toMatchObject({
      code: 'schema-misfit',
    });
  });

  it('that can not be used are told with the file and the reason, and their types are refused', async () => {
    await open({ schemas });
    await using client = await openDoor({ socket });
    const { schemaFaults } = await client.status();
    expect(schemaFaults.map(({ file, type }) => [file, type])).toEqual([
      ['enum.avsc', 'meter.Enum'],
      ['large.avsc', 'large'],
      ['meter.Torn.avsc', 'meter.Torn'],
      ['odd.avsc', 'meter.Odd'],
      ['ours.avsc', 'flotilla.boot'],
      ['twice-2.avsc', 'meter.Twice'],
    ]);
    for (const type of ['meter.Torn', 'meter.Odd', 'meter.Enum', 'meter.Twice']) {
      await expect(client.publish({ type, value: { x: 1 } })).rejects.toMatchObject({
        code: 'schema-broken',
        fault: 'failed',
        detail: { seen: expect.stringMatching(/avsc: ./) },
      });
    }
  });
});

describe('a program that does wrong', () => {
  it('gets an error for a bad line and loses its connection with the third', async () => {
    await open();
    using peer = await connectDoor(socket);
    using other = await connectDoor(socket);
    peer.socket.write('\r\n{"id":1,"verb":"no-such"}\n');
    expect(await peer.next()).toMatchObject({ id: 1, error: { code: 'verb-unknown' } });
    peer.socket.write('nonsense\n[]\n');
    expect(await peer.next()).toMatchObject({ id: null, error: { code: 'request-malformed' } });
    expect(await peer.next()).toMatchObject({ id: null });
    expect(await peer.ask(publish(2))).toMatchObject([{ ok: { seq: 1 } }]);
    peer.socket.write('{"id":3,"verb":"publish","typo":1}\n{"id":4,"verb":"status"}\n');
    expect(await peer.next()).toMatchObject({ id: 3, error: { code: 'request-malformed' } });
    expect(await peer.next()).toBeUndefined();
    expect(await other.ask(publish(5))).toMatchObject([{ ok: { seq: 2 } }]);
  });

  it('never has a line of more than the bound held', async () => {
    await open();
    using peer = await connectDoor(socket);
    const chunk = 'x'.repeat(65_536);
    for (let sent = 0; sent <= maxLineBytes; sent += chunk.length) peer.socket.write(chunk);
    expect(await peer.next()).toMatchObject({ id: null, error: { code: 'line-too-long' } });
    peer.socket.write(`${chunk}\n`);
    expect(await peer.ask(publish(1))).toMatchObject([{ ok: { seq: 1 } }]);
  });

  it('is told busy beyond its share of publishes that wait, and nothing of it is lost or doubled', async () => {
    await open();
    using peer = await connectDoor(socket);
    const answers = await peer.ask(...Array.from({ length: 2_000 }, (_, id) => publish(id)));
    const stored = answers.filter(({ ok }) => ok !== undefined);
    const refused = answers.filter(({ error }) => error?.code === 'busy');
    expect(stored.length).toBeGreaterThanOrEqual(maxInFlight);
    expect(refused.length).toBeGreaterThan(0);
    expect(stored.length + refused.length).toBe(2_000);
    expect(refused[0]).toMatchObject({ error: { fault: 'failed', retryAfterMs: expect.any(Number) } });
    expect(rows().map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(stored.map(({ id }) => id));
  });

  it('does not read its answers: it is not read from either, and the others are served', async () => {
    await open();
    using slow = await connectDoor(socket);
    slow.socket.pause();
    const line = `${JSON.stringify({ id: 'x'.repeat(64), verb: 'status' })}\n`;
    let taken = 0;
    // The agent stops reading once a megabyte of answers waits; then the kernel takes no more either.
    while (slow.socket.writableLength < 4 * 1024 * 1024 && taken < 1_000_000) {
      slow.socket.write(line.repeat(500));
      taken += 500;
      if (taken % 50_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(slow.socket.writableLength).toBeGreaterThan(1024 * 1024);
    using other = await connectDoor(socket);
    expect(await other.ask(publish(1))).toMatchObject([{ ok: { seq: 1 } }]);
    slow.socket.resume();
    expect(await slow.next()).toMatchObject({ ok: { door: 1 } });
  });

  it('may go away at any time: what was taken is stored', async () => {
    await open();
    using peer = await connectDoor(socket);
    for (let id = 0; id < 100; id += 1) peer.send(publish(id));
    peer.socket.end();
    const answers = [];
    for (let answer = await peer.next(); answer !== undefined; answer = await peer.next()) answers.push(answer);
    expect(answers).toHaveLength(100);
    using rude = await connectDoor(socket);
    rude.send(publish(100));
    rude.socket.destroy();
    await eventually('it is stored', () => rows().length === 101);
  });

  it('is turned away when too many are there, with the reason', async () => {
    await open();
    const peers = await Promise.all(Array.from({ length: maxConnections }, () => connectDoor(socket)));
    await peers.at(-1)!.ask(publish(1));
    await expect(openDoor({ socket }).then((client) => client.status())).rejects.toMatchObject({
      code: 'busy',
      retryAfterMs: expect.any(Number),
    });
    peers[0]![Symbol.dispose]();
    await eventually('there is room again', async () => {
      await using client = await openDoor({ socket });
      return (await client.status().catch(() => undefined))?.door === 1;
    });
    for (const peer of peers) peer[Symbol.dispose]();
  });
});

describe('a log that takes no more', () => {
  it('refuses with eventlog-full what it can not take, stores the rest of the batch, and says so in the status', async () => {
    const full = new FlotillaError('failed', 'eventlog-full', 'the log is full');
    let isFull = true;
    await open({
      appendAll: (items) => {
        if (isFull && items.some(({ row }) => Buffer.from(row.payload).toString() === '13')) throw full;
        return parts.log.appendAll(items);
      },
    });
    using peer = await connectDoor(socket);
    const answers = await peer.ask(...Array.from({ length: 40 }, (_, id) => publish(id)));
    expect(answers.filter(({ error }) => error !== undefined)).toMatchObject([
      { id: 13, error: { code: 'eventlog-full', fault: 'failed', retryAfterMs: expect.any(Number) } },
    ]);
    expect(rows().map(({ payload }) => Buffer.from(payload).toString())).not.toContain('13');
    expect(rows()).toHaveLength(39);
    isFull = false;
    await using client = await openDoor({ socket });
    expect(await client.publish({ type: 'a.B', value: 13 }, { patienceMs: 5_000 })).toEqual({ lane: 3, seq: 40 });
    expect((await client.status()).pressure).toBe('none');
    expect(bench.fatal).toEqual([]);
  });

  it('ends the agent when the database itself is broken, after the program was told', async () => {
    const broken = Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10 });
    await open({
      appendAll: () => {
        throw broken;
      },
    });
    using peer = await connectDoor(socket);
    expect(await peer.ask(publish(1))).toMatchObject([{ error: { code: 'eventlog-failed', fault: 'ours' } }]);
    await eventually('it is fatal', () => bench.fatal.length > 0);
    expect(bench.fatal).toEqual([broken]);
  });
});

describe('the socket', () => {
  it('is for owner and group, replaces one of a dead agent, and never a live one or a file', async () => {
    const path = join(parts.dir, 'door.sock');
    // What a process leaves that is killed: a name that nobody listens at.
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(`${path}.dead`, resolve));
    await rename(`${path}.dead`, path);
    await new Promise((resolve) => dead.close(resolve));
    await open();
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    const first = door;
    await expect(open()).rejects.toMatchObject({ code: 'door-in-use', fault: 'refused' });
    door = first;
    await using client = await openDoor({ socket });
    expect((await client.status()).door).toBe(1);
    await client.close();
    await first.stop();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(openDoor({ socket })).rejects.toMatchObject({ code: 'agent-unreachable', fault: 'unreachable' });
    await writeFile(path, 'precious');
    await expect(open()).rejects.toMatchObject({ code: 'door-path-taken' });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it('tells those who watch of changes of the link', async () => {
    await open();
    await using client = await openDoor({ socket });
    const states: string[] = [];
    for await (const status of client.watchStatus()) {
      states.push(status.link.state);
      if (states.length === 1) parts.link.turn('waiting');
      else break;
    }
    expect(states).toEqual(['live', 'waiting']);
  });
});
