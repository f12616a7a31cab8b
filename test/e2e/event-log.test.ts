/** The event log as typed: real agents publish, a real coordinator, real handlers that crash, kills with -9. */
import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alive, createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';
import { launcher, start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';

let fleet: TestFleet;
let agent: TestAgent;
let handler = '';
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const env = () => ({ FLOTILLA_FLEET_DIR: fleet.dir });

beforeAll(async () => {
  fleet = await createFleet();
  agent = await fleet.addAgent('d-1');
  await fleet.connected('d-1');
  handler = scratch('handler.mjs');
  // Writes what it is given into its ledger, then what it has done: what it is poisoned by ends it in between.
  await writeFile(
    handler,
    `import { appendFileSync, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
const [ledger, mode] = process.argv.slice(2);
const isMended = () => existsSync(ledger + '.mended');
for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line);
  const name = String(event.payload?.n);
  appendFileSync(ledger, 'given ' + name + '\\n');
  if (name === 'poison' && !isMended()) {
    console.error('I can not take ' + name);
    process.exit(7);
  }
  if (name === 'refused' && !isMended()) {
    console.log(JSON.stringify({ offset: event.offset, ok: false, error: 'no ' + name, retry: mode !== 'final' }));
    continue;
  }
  if (mode === 'slow') await new Promise((resolve) => setTimeout(resolve, 20));
  appendFileSync(ledger, 'done ' + name + '\\n');
  console.log(JSON.stringify({ offset: event.offset, ok: true }));
}
`,
  );
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function publish(type: string, values: unknown[]): Promise<void> {
  const lines = values.map((n) => JSON.stringify({ type, key: 'k', value: { n } })).join('\n');
  const config = join(agent.dir, 'agent.yaml');
  const ran = await fleet.cli(['agent', 'publish', '--lines', '--config', config, '--json'], { input: `${lines}\n` });
  expect([ran.exitCode, ran.stderr]).toEqual([0, '']);
  await eventually('the coordinator has them', async () => (await stored(type)).length >= values.length);
}

async function stored(type: string): Promise<any[]> {
  return (await fleet.cli(['event', 'tail', '--type', type, '--from', '1', '--limit', '10000', '--json'])).rows();
}

async function ledgerOf(path: string): Promise<{ given: string[]; done: string[] }> {
  const lines = existsSync(path) ? (await readFile(path, 'utf8')).split('\n') : [];
  const of = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  return { given: of('given'), done: of('done') };
}

const node = process.execPath;

describe('flotilla event export', () => {
  it('writes all that match, says where it stopped, and goes on from there', async () => {
    await publish('export.row', [1, 2, 3]);
    const ran = await fleet.cli(['event', 'export', '--type', 'export.*', '--selector', 'd-1', '--since', '1h']);
    expect(ran.exitCode).toBe(0);
    expect(ran.rows().map(({ payload }) => payload.n)).toEqual([1, 2, 3]);
    const [, next] = /3 events, next offset (\d+): --from \1 goes on/.exec(ran.stderr) ?? [];
    await publish('export.row', [4]);
    const out = scratch('rows.ndjson');
    const rest = await fleet.cli(['event', 'export', '--type', 'export.*', '--from', next!, '--out', out, '--json']);
    expect([rest.exitCode, rest.stdout]).toEqual([0, '']);
    expect(JSON.parse(rest.stderr)).toMatchObject({ events: 1, out, interrupted: false });
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ type: 'export.row', payload: { n: 4 } });
    const nowhere = await fleet.cli(['event', 'export', '--out', scratch('no', 'such', 'file')]);
    expect(nowhere.exitCode).toBe(2);
  });

  it('leaves with 130 and the offset at Ctrl-C', async () => {
    await publish(
      'export.bulk',
      Array.from({ length: 2_000 }, (_, n) => `${n} ${'x'.repeat(200)}`),
    );
    const child = execa(node, [launcher, 'event', 'export', '--type', 'export.bulk'], {
      env: env(),
      buffer: { stdout: false },
      reject: false,
    });
    // Its first bytes are there, and more than a pipe holds is to come: it is under way until somebody reads.
    await once(child.stdout, 'readable');
    child.kill('SIGINT');
    child.stdout.resume();
    const { exitCode, stderr } = await child;
    expect([exitCode, stderr]).toEqual([130, expect.stringMatching(/interrupted: \d+ events?, next offset \d+/)]);
  });
});

describe('flotilla event tail --consumer', () => {
  it('goes on behind what it has printed, also after a kill with -9', async () => {
    await publish('tail.row', [1, 2, 3, 4]);
    const args = ['event', 'tail', '--consumer', 'tail-1', '--type', 'tail.row', '--json'];
    const first = await fleet.cli([...args, '--limit', '2']);
    expect(first.rows().map(({ payload }) => payload.n)).toEqual([1, 2]);
    const second = start([...args, '--follow'], { env: env() });
    let text = '';
    second.stdout.on('data', (chunk) => (text += String(chunk)));
    await eventually('it has printed the rest', () => text.trim().split('\n').length === 2);
    const offset = JSON.parse(text.trim().split('\n').at(-1)!).offset as number;
    await eventually('which is acknowledged', async () => (await consumer('tail-1')).offset >= offset);
    second.kill('SIGKILL');
    await second;
    expect((await fleet.cli(args)).stdout).toBe('');
    await publish('tail.row', [5]);
    expect((await fleet.cli(args)).rows().map(({ payload }) => payload.n)).toEqual([5]);
    expect((await fleet.cli(['event', 'consumer', 'reset', 'tail-1', '--from', '1'])).exitCode).toBe(6);
    expect((await fleet.cli(['event', 'consumer', 'reset', 'tail-1', '--from', '1', '--yes'])).exitCode).toBe(0);
    expect((await fleet.cli(args)).rows()).toHaveLength(5);
    expect((await fleet.cli(['event', 'consumer', 'remove', 'tail-1', '--yes'])).exitCode).toBe(0);
  });
});

async function consumer(name: string): Promise<any> {
  return (await fleet.cli(['event', 'consumer', 'list', '--json'])).json().find((one: any) => one.name === name);
}

describe('flotilla event handle', () => {
  it('sets aside what ends the handler three times, goes on, and delivers it once when it is mended', async () => {
    await publish('meter.row', [1, 2, 'poison', 3, 4]);
    const ledger = scratch('meter.ledger');
    const args = ['event', 'handle', 'billing', '--type', 'meter.row', '--once', '--backoff', '10ms,20ms'];
    const command = ['--', node, handler, ledger];
    const ran = await fleet.cli([...args, '--handler-version', '1.0.0', ...command]);
    expect(ran.exitCode).toBe(4);
    expect(ran.stderr).toContain('attempt 3: it ended with exit code 7');
    const before = await ledgerOf(ledger);
    expect(before.done).toEqual(['1', '2', '3', '4']);
    expect(before.given.filter((name) => name === 'poison')).toHaveLength(3);
    const [letter] = (await fleet.cli(['deadletter', 'list', '--consumer', 'billing', '--json'])).json();
    expect(letter).toMatchObject({
      layer: 'handler',
      state: 'new',
      code: 'crashed',
      attempts: 3,
      version: '1.0.0',
      stderr: 'I can not take poison\n',
    });
    expect((await fleet.cli(['coordinator', 'status'])).stdout).toContain('handler meter.row 1');

    await writeFile(`${ledger}.mended`, '');
    const id = String(letter.id);
    expect((await fleet.cli(['deadletter', 'replay', id])).stdout).toBe(`replayed 1 dead letter: ${id}`);
    const again = await fleet.cli(['deadletter', 'replay', id, '--json']);
    expect([again.exitCode, again.json().failed[0].code]).toEqual([4, 'deadletter-decided']);
    for (let run = 0; run < 2; run += 1) expect((await fleet.cli([...args, ...command])).exitCode).toBe(0);
    expect((await ledgerOf(ledger)).done).toEqual(['1', '2', '3', '4', 'poison']);
    expect((await fleet.cli(['deadletter', 'show', id, '--json'])).json().state).toBe('replayed');
  });

  it('sets aside what the handler refuses for good at once, and what it refuses again after five times', async () => {
    await publish('refuse.row', [1, 'refused', 2]);
    for (const [name, mode, times] of [
      ['final', 'final', 1],
      ['again', 'again', 5],
    ] as const) {
      const ledger = scratch(`${name}.ledger`);
      const args = ['event', 'handle', name, '--type', 'refuse.row', '--once', '--backoff', '1ms', '--json'];
      const ran = await fleet.cli([...args, '--', node, handler, ledger, mode]);
      expect(ran.exitCode).toBe(4);
      expect(ran.rows().filter(({ kind }) => kind === 'dead-letter')).toHaveLength(1);
      const { given, done } = await ledgerOf(ledger);
      expect(done).toEqual(['1', '2']);
      expect(given.filter((word) => word === 'refused')).toHaveLength(times);
    }
  });

  it('ends a handler that does not answer in time', async () => {
    const args = ['event', 'handle', 'hang', '--type', 'refuse.row', '--once', '--timeout', '300ms', '--backoff', '0s'];
    const ran = await fleet.cli([...args, '--json', '--', 'sleep', '1000']);
    expect(ran.exitCode).toBe(4);
    const crashed = ran.rows().filter(({ kind }) => kind === 'crashed');
    expect(crashed).toHaveLength(9);
    expect(crashed[0].error).toBe('no answer in 0.3 s');
  });

  it('loses nothing and skips nothing when it, its handler and the coordinator are killed with -9', async () => {
    const count = 200;
    const names = Array.from({ length: count }, (_, n) => String(n));
    await publish('kill.row', names);
    const ledger = scratch('kill.ledger');
    const args = ['event', 'handle', 'kill', '--type', 'kill.row', '--backoff', '10ms', '--in-flight', '20'];
    const command = ['--', node, handler, ledger, 'slow'];
    const doneAbove = (n: number) =>
      eventually('some are done', async () => (await ledgerOf(ledger)).done.length > n, { everyMs: 5 });

    const first = start([...args, ...command], { env: env() });
    await doneAbove(20);
    first.kill('SIGKILL');
    await first;

    const second = start([...args, ...command], { env: env(), timeoutMs: 120_000 });
    await doneAbove(60);
    await fleet.killCoordinator();
    await fleet.startCoordinator();
    await doneAbove(110);
    // The coordinator never moved its cursor over what was not handled.
    const { offset } = await consumer('kill');
    const below = (await stored('kill.row')).filter((event) => event.offset <= offset);
    const { done } = await ledgerOf(ledger);
    expect(below.map(({ payload }) => payload.n).filter((n) => !done.includes(n))).toEqual([]);
    second.kill('SIGTERM');
    expect((await second).exitCode).toBe(130);

    const rest = await fleet.cli([...args, '--once', ...command], { timeoutMs: 120_000 });
    expect(rest.exitCode).toBe(0);
    expect(new Set((await ledgerOf(ledger)).done)).toEqual(new Set(names));
    expect((await consumer('kill')).open).toBe(0);
    expect((await fleet.cli(['deadletter', 'list', '--consumer', 'kill', '--json'])).json()).toEqual([]);
  });

  it('says at once what can not work: no program, no coordinator, two at a time', async () => {
    const missing = await fleet.cli(['event', 'handle', 'none', '--', scratch('no-such-program')]);
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining("can't be started")]);
    expect((await fleet.cli(['event', 'handle', 'none'])).exitCode).toBe(2);
    const first = start(['event', 'handle', 'two', '--type', 'none', '--', 'cat'], { env: env() });
    await eventually('it reads', async () => (await consumer('two'))?.connected);
    const second = start(['event', 'handle', 'two', '--', 'cat'], { env: env() });
    const { exitCode, stderr } = await first;
    expect([exitCode, stderr]).toEqual([6, expect.stringContaining('another stream reads as two now')]);
    second.kill('SIGINT');
    expect((await second).exitCode).toBe(130);
    expect(alive(second.pid!)).toBe(false);
  });
});

describe('flotilla event redact', () => {
  it('takes a secret out for good, once it is confirmed', async () => {
    const secret = 'sesame-4711-open';
    await publish('app.log', ['harmless', secret]);
    const args = ['event', 'redact', '--type', 'app.log', '--reason', 'a password', '--json'];
    expect((await fleet.cli(args)).json().error.code).toBe('confirmation-needed');
    expect((await fleet.cli([...args, '--dry-run'])).json()).toMatchObject({ events: 2, dryRun: true });
    const ran = await fleet.cli([...args, '--yes']);
    expect([ran.exitCode, ran.json()]).toEqual([0, expect.objectContaining({ events: 2, erased: true })]);
    expect((await fleet.cli([...args, '--yes'])).exitCode).toBe(3);
    const [first] = await stored('app.log');
    expect(first).toMatchObject({ payload: null, redacted: { reason: 'a password' } });
    for (const suffix of ['', '-wal']) {
      const bytes = await readFile(join(fleet.dir, 'data', `flotilla.db${suffix}`));
      expect([suffix, bytes.includes(secret)]).toEqual([suffix, false]);
    }
    expect((await fleet.cli(['event', 'tail', '--type', 'app.log'])).stdout).toContain('[redacted by local:');
  });
});

describe('flotilla device show', () => {
  it('says how old the data is, and what waits on a device that is away', async () => {
    const shown = await fleet.cli(['device', 'show', 'd-1']);
    expect(shown.stdout).toMatch(/data as of: +\d{4}-\d\d-\d\d .*\(now\)/);
    const { freshness } = (await fleet.cli(['device', 'show', 'd-1', '--json'])).json();
    expect(freshness.lanes).toHaveLength(4);
    expect((await fleet.cli(['device', 'list'])).stdout).toContain('DATA');
  });
});
