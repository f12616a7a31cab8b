/** The door as a product uses it: programs beside a real agent, a real coordinator, and the command line. */
import { chmod, readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxConnections, openDoor, type DoorClient, type Published } from '../../src/door/index.ts';
import { flotilla, start, top } from '../support/cli.ts';
import { connectDoor } from '../support/door-peer.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let agent: TestAgent;
let socket: string;
const config = () => join(agent.dir, 'agent.yaml');

const reading = {
  type: 'record',
  name: 'Typed',
  namespace: 'meter',
  fields: [
    { name: 'voltage', type: 'float' },
    { name: 'count', type: 'int' },
  ],
};

beforeAll(async () => {
  fleet = await createFleet();
  agent = await fleet.addAgent('d-1', {
    configure: (yaml) =>
      yaml.replace(
        '  types: {}',
        '  types:\n    pump.Alarm: { lane: alarm, keepRows: 100000 }\n    t.Numbered: { keepRows: 100000 }',
      ),
  });
  socket = join(agent.dir, 'door.sock');
  await fleet.connected('d-1');
});
afterAll(() => fleet[Symbol.asyncDispose]());

const publish = (args: string[], option = {}) => flotilla(['agent', 'publish', ...args, '--config', config()], option);

/** What the coordinator has of a type: seq and payload of each event. */
async function stored(type: string): Promise<{ lane: number; seq: number; payload: any }[]> {
  const rows: { lane: number; seq: number; payload: any; offset: number }[] = [];
  for (;;) {
    const from = String((rows.at(-1)?.offset ?? 0) + 1);
    const ran = await fleet.cli(['event', 'tail', '--type', type, '--from', from, '--limit', '5000', '--json']);
    expect(ran.exitCode).toBe(0);
    const page = ran.rows();
    rows.push(...page);
    if (page.length < 5_000) return rows;
  }
}

async function door(): Promise<DoorClient> {
  return eventually('the door is open', () => openDoor({ socket }).catch(() => undefined), { everyMs: 20 });
}

async function idle(): Promise<void> {
  await eventually('nothing waits', async () => {
    await using client = await door();
    return (await client.status()).lanes.every(({ waitingRows }) => waitingRows === 0);
  });
}

describe('flotilla agent publish', () => {
  it('writes an event that the coordinator has once, and prints its lane and seq', async () => {
    const first = await publish(['meter.Plain', 'm-1', '{"v":1}']);
    expect([first.exitCode, first.stdout, first.stderr]).toEqual([0, 'lane 3 seq 1', '']);
    const second = await publish(['pump.Alarm', '', '-', '--json'], { input: '"hot"' });
    expect([second.exitCode, second.json()]).toEqual([0, { lane: 1, seq: 1 }]);
    const lines = '{"type":"meter.Plain","key":"m-2","value":2}\n\n{"type":"pump.Alarm","value":null,"timestampMs":7}';
    const third = await publish(['--lines', '--json'], { input: lines });
    expect(third.rows()).toEqual([
      { line: 1, lane: 3, seq: 2 },
      { line: 3, lane: 1, seq: 2 },
    ]);
    await idle();
    expect(await stored('meter.Plain')).toMatchObject([
      { lane: 3, seq: 1, key: 'm-1', payload: { v: 1 } },
      { lane: 3, seq: 2, key: 'm-2', payload: 2 },
    ]);
    expect(await stored('pump.Alarm')).toMatchObject([{ payload: 'hot' }, { payload: null, timestampMs: 7 }]);
  });

  it.each([
    ['what is not JSON', ['a.B', 'k', '{"v"'], 2, 'json-malformed'],
    ['a type that is ours', ['flotilla.boot', 'k', '1'], 2, 'type-reserved'],
    ['a key that can not travel', ['a.B', 'x'.repeat(300), '1'], 2, 'event-unfit'],
    ['half an event', ['a.B', 'k'], 2, 'publish-arguments'],
    ['arguments beside --lines', ['a.B', '--lines'], 2, 'publish-arguments'],
    ['a timeout that is none', ['a.B', 'k', '1', '--timeout', 'soon'], 2, 'duration-malformed'],
  ])('refuses %s', async (_, args, exitCode, code) => {
    const ran = await publish([...args, '--json']);
    expect([ran.exitCode, ran.stderr]).toEqual([exitCode, '']);
    expect(ran.json().error.code).toBe(code);
  });

  it('names the line that is refused, and has stored those before it', async () => {
    const good = (value: number) => `{"type":"l.Line","value":${value}}\n`;
    const ran = await publish(['--lines'], {
      input: `${good(1)}${good(2)}{"type":"coordinator.x","value":3}\n${good(4)}`,
    });
    expect([ran.exitCode, ran.stdout.split('\n').length]).toEqual([2, 2]);
    expect(ran.stderr).toContain('Error: line 3: a program may not write events of this type');
    const odd = await publish(['--lines', '--json'], { input: `${good(5)}{"typ":"l.Line"}\n` });
    expect(odd.rows()).toMatchObject([
      { line: 1 },
      { error: { code: 'event-malformed', message: expect.stringContaining('line 2') } },
    ]);
    await idle();
    expect((await stored('l.Line')).map(({ payload }) => payload)).toEqual([1, 2, 5]);
  });

  it('says truthfully when no agent answers, and when one does not answer in time', async () => {
    const nobody = await flotilla(['agent', 'publish', 'a.B', 'k', '1', '--socket', join(agent.dir, 'no.sock')]);
    expect([nobody.exitCode, nobody.stderr]).toEqual([7, expect.stringMatching(/does not answer\n.*ENOENT.*no\.sock/)]);
    agent.signal('SIGSTOP');
    const late = await publish(['a.B', 'k', '1', '--timeout', '500ms', '--json']);
    agent.signal('SIGCONT');
    expect([late.exitCode, late.json().error]).toEqual([
      5,
      expect.objectContaining({ code: 'door-timeout', fault: 'undecided' }),
    ]);
    const status = await flotilla(['agent', 'status'], { env: { FLOTILLA_DOOR: socket } });
    expect([status.exitCode, status.stdout]).toEqual([0, expect.stringMatching(/link: +live since/)]);
  });

  it.skipIf(!canBeNobody)('is for the agent’s user and group alone', async () => {
    // Let everyone in up to the socket itself.
    await chmod(fleet.scratch, 0o755);
    await chmod(agent.dir, 0o755);
    const ran = await flotilla(['agent', 'publish', 'a.B', 'k', '1', '--socket', socket, '--json'], {
      uid: nobody,
      cwd: '/',
    });
    expect([ran.exitCode, ran.json().error.code]).toEqual([8, 'door-forbidden']);
  });
});

describe('other programs', () => {
  it('are written from the guide: the Python of it runs', async () => {
    const python = await execa('python3', ['--version'], { reject: false });
    if (python.exitCode !== 0) return;
    const guide = await readFile(join(top, 'docs', 'guide', 'door.md'), 'utf8');
    const [, program = ''] = /```python\n(.*?)```/s.exec(guide) ?? [];
    expect(
      program
        .trim()
        .split('\n')
        .filter((line) => line !== '').length,
    ).toBeLessThanOrEqual(15);
    const ran = await execa('python3', ['-c', program, socket]);
    expect(ran.stdout).toMatch(/^\{'lane': 3, 'seq': \d+\}$/);
  });

  it('import flotilla/door from the built package', async () => {
    const script = `
      import { openDoor } from 'flotilla/door';
      await using door = await openDoor({ socket: process.argv[1] });
      const { lane } = await door.publish({ type: 'built.Package', value: 1 });
      console.log(lane, (await door.status()).door);`;
    const ran = await execa(process.execPath, ['--input-type=module', '-e', script, socket], { cwd: top });
    expect(ran.stdout).toBe('3 1');
  });
});

const nobody = 65_534;
/** Only root may become another user, and that one must be able to read the checkout. */
const canBeNobody =
  process.getuid?.() === 0 && (await flotilla(['--version'], { uid: nobody, cwd: '/' })).exitCode === 0;

describe('confirmed events', () => {
  it('arrive exactly once, whatever the agent is killed in, from two programs at the same time', async () => {
    const confirmed = new Map<string, Published>();
    const unsure = new Set<string>();
    const over = new AbortController();
    const program = async (name: string) => {
      for (let n = 0; !over.signal.aborted;) {
        const client = await door();
        const going: Promise<unknown>[] = [];
        const lost = new AbortController();
        while (!lost.signal.aborted && !over.signal.aborted) {
          const key = `${name}-${n}`;
          n += 1;
          going.push(
            client.publish({ type: 't.Numbered', key, value: n }).then(
              (published) => confirmed.set(key, published),
              (error: { fault: string }) => {
                if (error.fault !== 'undecided') return;
                unsure.add(key);
                lost.abort();
              },
            ),
          );
          if (going.length % 20 === 0) await going.at(-1);
        }
        await Promise.all(going);
        await client.close();
      }
    };
    const programs = [program('one'), program('two')];
    for (let kill = 0; kill < 4; kill += 1) {
      const before = confirmed.size;
      await eventually('some more are confirmed', () => confirmed.size > before + 150 + kill * 97, { everyMs: 1 });
      await agent.kill();
      await agent.restart();
    }
    over.abort();
    await Promise.all(programs);
    await idle();
    const rows = await stored('t.Numbered');
    const bySeq = new Map(rows.map((row) => [row.seq, row as unknown as { key: string }]));
    expect(bySeq.size).toBe(rows.length);
    const keys = new Set(rows.map((row) => (row as unknown as { key: string }).key));
    expect(keys.size).toBe(rows.length);
    for (const [key, { seq }] of confirmed) expect(bySeq.get(seq)?.key).toBe(key);
    // What is there besides was sent and never answered.
    for (const key of keys) expect(confirmed.has(key) || unsure.has(key)).toBe(true);
    expect(unsure.size).toBeGreaterThan(0);
  });

  it('and the rest of the agent go on in a flood: it is told busy, and a job still gets through', async () => {
    const peers = await Promise.all(Array.from({ length: maxConnections - 4 }, () => connectDoor(socket)));
    const over = new AbortController();
    let refused = 0;
    let taken = 0;
    const flood = peers.map(async (peer, index) => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const lines = Array.from({ length: 1_000 }, (_, at) => ({
          id: at,
          verb: 'publish',
          type: 'f.Flood',
          key: `${index}-${n}-${at}`,
          value: 'x'.repeat(100),
        }));
        const answers = await peer.ask(...lines);
        taken += answers.filter(({ ok }) => ok !== undefined).length;
        const errors = answers.filter(({ error }) => error !== undefined);
        expect(errors.filter(({ error }) => error.code !== 'busy')).toEqual([]);
        refused += errors.length;
      }
    });
    try {
      await eventually('the flood is high', () => taken > 2_000 && refused > 0);
      const began = performance.now();
      const job = await fleet.cli(['run', 'd-1', '--timeout', '20s', '--json', '--', 'true']);
      const tookMs = performance.now() - began;
      await using client = await openDoor({ socket });
      const status = await client.status();
      expect([job.exitCode, job.stdout, status.link.state]).toEqual([0, expect.anything(), 'live']);
      expect(tookMs).toBeLessThan(15_000);
    } finally {
      over.abort();
      await Promise.all(flood);
      for (const peer of peers) peer[Symbol.dispose]();
    }
  });
});

describe('schemas of the product', () => {
  it('are taken up at the start; what is wrong with one is told, and its type is refused', async () => {
    await mkdir(join(agent.dir, 'schemas'), { recursive: true });
    await writeFile(join(agent.dir, 'schemas', 'meter.Typed.avsc'), JSON.stringify(reading));
    await writeFile(join(agent.dir, 'schemas', 'pump.Torn.avsc'), '{"type":');
    await agent.kill();
    await agent.restart();
    await (await door()).close();
    const status = await flotilla(['agent', 'status', '--config', config(), '--json']);
    expect(status.json()).toMatchObject({
      schemas: [{ type: 'meter.Typed', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) }],
      schemaFaults: [{ file: 'pump.Torn.avsc', type: 'pump.Torn' }],
    });
    expect(await agent.log()).toContain('pump.Torn.avsc');
    const good = await publish(['meter.Typed', 'm-1', '{"voltage":231.5,"count":2}']);
    expect(good.exitCode).toBe(0);
    const misfit = await publish(['meter.Typed', 'm-1', '{"voltage":"high","count":2}']);
    expect([misfit.exitCode, misfit.stderr]).toEqual([
      2,
      expect.stringContaining('voltage does not fit the schema of meter.Typed'),
    ]);
    const torn = await publish(['pump.Torn', '', '1']);
    expect([torn.exitCode, torn.stderr]).toEqual([
      4,
      expect.stringMatching(/schema can't be used\n.*pump\.Torn\.avsc/),
    ]);
    await idle();
    expect(await stored('meter.Typed')).toHaveLength(1);
  });
});

describe('flotilla device send', () => {
  const send = (args: string[], option = {}) => fleet.cli(['device', 'send', 'd-1', ...args], option);

  it('asks a program on the device, and exits as the program answered', async () => {
    await using valve = await openDoor({ socket });
    const served = (async () => {
      for await (const { requestId, value } of valve.acceptRequests(['valve.Close'])) {
        if (value === 'jam') await valve.failed(requestId, 'it is stuck');
        else await valve.done(requestId, { was: value });
      }
    })();
    const done = await send(['valve.Close', 'v-1', '{"slow":true}', '--expires', '1m', '--wait']);
    expect([done.exitCode, done.stdout, done.stderr]).toEqual([0, 'done: {"was":{"slow":true}}', '']);
    const failed = await send(['valve.Close', 'v-1', '"jam"', '--wait', '--json']);
    expect([failed.exitCode, failed.json().reply]).toMatchObject([4, { outcome: 'failed', reason: 'it is stuck' }]);
    const kept = await send(['valve.Close', 'v-1', '-', '--json'], { input: '7' });
    expect([kept.exitCode, kept.json()]).toMatchObject([
      0,
      { requestId: expect.stringMatching(/^q-/), deviceId: 'd-1' },
    ]);
    const { requestId } = kept.json();
    await eventually('its reply is in the log', async () =>
      (await stored('flotilla.reply')).some(
        ({ payload }) => payload.requestId === requestId && payload.outcome === 'done',
      ),
    );
    await valve.close();
    await served;
  });

  it('tells when nobody answered in time, and when a program went away in the middle', async () => {
    const expired = await send(['valve.Close', 'v-1', '1', '--expires', '1s', '--wait']);
    expect([expired.exitCode, expired.stdout]).toEqual([5, expect.stringMatching(/^expired/)]);
    const waiting = start(['device', 'send', 'd-1', 'valve.Close', 'v-1', '2', '--wait', '--json'], {
      env: { FLOTILLA_FLEET_DIR: fleet.dir },
    });
    for (const attempt of [1, 2]) {
      const valve = await openDoor({ socket });
      const { value: row } = await valve.acceptRequests(['valve.Close']).next();
      expect(row).toMatchObject({ value: 2, attempt });
      await valve.close();
    }
    const unknown = await waiting;
    expect([unknown.exitCode, JSON.parse(unknown.stdout).reply.outcome]).toEqual([5, 'unknown']);
  });

  it('refuses a device that there is not, and a value that is not JSON', async () => {
    const unknown = await fleet.cli(['device', 'send', 'd-9', 'valve.Close', '', '1', '--json']);
    expect([unknown.exitCode, unknown.json().error.code]).toEqual([2, 'device-unknown']);
    const malformed = await send(['valve.Close', '', 'open', '--json']);
    expect([malformed.exitCode, malformed.json().error.code]).toEqual([2, 'json-malformed']);
  });
});
