/** The exit codes that scripts rely on, from the real command line against real agents. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../support/cli.ts';
import type { TestAgent, TestFleet } from '../support/fleet.ts';
import { createRemoteFleet, type RemoteFleet } from '../support/remote-fleet.ts';

let remote: RemoteFleet;
let fleet: TestFleet;
const agents = new Map<string, TestAgent>();

beforeAll(async () => {
  remote = await createRemoteFleet();
  ({ fleet } = remote);
  for (const id of ['d-1', 'd-2', 'd-3']) agents.set(id, await fleet.addAgent(id, { grains: { site: 'harbour' } }));
  await Promise.all([...agents.keys()].map((id) => fleet.connected(id)));
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('flotilla run', () => {
  it('exits 0 when all succeeded, with each result and the job as NDJSON', async () => {
    const ran = await fleet.cli(['run', 'G@site:harbour', '--json', '--', 'echo', 'hello']);
    expect(ran.stderr + ran.stdout).not.toContain('"error"');
    expect(ran.exitCode).toBe(0);
    const rows = ran.rows();
    const results = rows.filter((row) => row.kind === 'result' && row.result.state === 'finished');
    expect(results.map((row) => row.result.deviceId).toSorted()).toEqual(['d-1', 'd-2', 'd-3']);
    for (const { result } of results) expect(result).toMatchObject({ outcome: 'succeeded', stdout: 'hello\n' });
    expect(rows.at(-1)).toMatchObject({ kind: 'job', job: { state: 'finished', counts: { succeeded: 3 } } });
  });

  it('exits 3 when a valid selector matches nobody', async () => {
    const ran = await fleet.cli(['run', 'G@site:nowhere', '--', 'true']);
    expect(ran.exitCode).toBe(3);
    expect(ran.stderr).toContain('G@site:nowhere');
  });

  it('exits 2 with a caret when a term under "not" is malformed, and sends nothing', async () => {
    const before = (await fleet.cli(['job', 'list', '--json'])).json();
    const ran = await fleet.cli(['run', 'not G@site', '--', 'true']);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toMatch(/not G@site\n\s*\^/);
    expect((await fleet.cli(['job', 'list', '--json'])).json()).toEqual(before);
  });

  it('exits 4 when the command fails', async () => {
    const ran = await fleet.cli(['run', '*', '--', 'false']);
    expect(ran.exitCode).toBe(4);
  });

  it('exits 6 when more match than --max allows', async () => {
    const ran = await fleet.cli(['run', '*', '--max', '2', '--', 'true']);
    expect(ran.exitCode).toBe(6);
    expect(ran.stderr).toContain('3');
  });

  it('exits 5 after the timeout of a device that hangs with its socket open; the others answer at once', async () => {
    agents.get('d-2')?.signal('SIGSTOP');
    try {
      const startedAtMs = Date.now();
      const ran = await fleet.cli(['run', '*', '--timeout', '3s', '--json', '--', 'true']);
      const tookMs = Date.now() - startedAtMs;
      expect(ran.exitCode).toBe(5);
      const results = ran
        .rows()
        .filter((row) => row.kind === 'result' && row.result.state === 'finished')
        .map((row) => row.result);
      const stalled = results.find((one) => one.deviceId === 'd-2');
      expect(['timed-out', 'unknown']).toContain(stalled?.outcome);
      for (const id of ['d-1', 'd-3']) {
        const result = results.find((one) => one.deviceId === id);
        expect(result).toMatchObject({ outcome: 'succeeded' });
        // Their own clocks say when they had ended: long before the stalled one was given up.
        expect(result.finishedAtMs).toBeLessThan(stalled.finishedAtMs - 2500);
      }
      expect(tookMs).toBeGreaterThan(2900);
    } finally {
      agents.get('d-2')?.signal('SIGCONT');
    }
  });

  /** The id of a job that was just begun by this command line, which streams. */
  const begun = async (child: ReturnType<typeof start>): Promise<string> => {
    await once(child.stdout, 'data'); // the first row: the job is stored
    return (await fleet.cli(['job', 'list', '--limit', '1', '--json'])).json()[0].id;
  };
  /** A command that ends when it is let go. */
  const streaming = (go: string) => {
    const script = `while [ ! -e ${go} ]; do sleep 0.1; done; echo done`;
    const args = ['run', 'd-1', '--json', '--', 'sh', '-c', script];
    return start(args, { env: { FLOTILLA_FLEET_DIR: fleet.dir } });
  };
  const letGo = (go: string) => writeFile(join(agents.get('d-1')!.dir, go), '');

  it('exits 130 at Ctrl-C, which leaves the job running: `job wait` goes on with it', async () => {
    const child = streaming('first');
    const id = await begun(child);
    child.kill('SIGINT');
    const { exitCode, stderr } = await child;
    expect([exitCode, stderr]).toEqual([130, expect.stringContaining(`flotilla job wait ${id}`)]);
    await letGo('first');
    const waited = await fleet.cli(['job', 'wait', id, '--json']);
    expect(waited.exitCode).toBe(0);
    expect(waited.rows().at(-2)).toMatchObject({ result: { outcome: 'succeeded', stdout: 'done\n' } });
  });

  it('may be killed with -9: the job goes on, and each device runs it once', async () => {
    const child = streaming('second');
    const id = await begun(child);
    child.kill('SIGKILL');
    await child;
    await letGo('second');
    expect((await fleet.cli(['job', 'wait', id, '--json'])).exitCode).toBe(0);
  });

  it('says in a dry run what it would do, and to whom, by the same rules', async () => {
    const dry = await fleet.cli(['run', '*', '--dry-run', '--json', '--', 'true']);
    expect(dry.rows()).toMatchObject([{ kind: 'job', job: { id: '', matched: 3 } }]);
    expect((await fleet.cli(['run', '*', '--dry-run', '--max', '2', '--', 'true'])).exitCode).toBe(6);
    expect((await fleet.cli(['run', 'nobody', '--dry-run', '--', 'true'])).exitCode).toBe(3);
    expect((await fleet.cli(['run', '*', '--yes', '--', 'true'])).exitCode).toBe(2);
    expect((await fleet.cli(['run', '*', '--yes', '--expect', '4', '--', 'true'])).exitCode).toBe(6);
  });

  it('keeps a command for an offline device and runs it once when the device is back', async () => {
    const agent = agents.get('d-3')!;
    await agent.kill();
    const started = (
      await fleet.cli(['run', 'd-3', '--detach', '--json', '--', 'sh', '-c', 'echo ran >> ran.txt; cat ran.txt'])
    )
      .rows()
      .at(-1);
    await agent.restart();
    const waited = await fleet.cli(['job', 'wait', started.job.id, '--json']);
    expect(waited.exitCode).toBe(0);
    const shown = (await fleet.cli(['job', 'show', started.job.id, '--json'])).json();
    expect(shown.results).toMatchObject([{ deviceId: 'd-3', outcome: 'succeeded', stdout: 'ran\n' }]);
  });

  it('exits 1 for a fault of ours: here the store holds what nothing of ours would write', async () => {
    const [{ id }] = (await fleet.cli(['job', 'list', '--limit', '1', '--json'])).json();
    using database = new DatabaseSync(join(fleet.dir, 'data', 'flotilla.db'));
    database.exec('PRAGMA busy_timeout = 5000');
    database.prepare("UPDATE job SET document = '{' || document WHERE id = ?").run(id);
    const shown = await fleet.cli(['job', 'show', id, '--json']);
    expect(shown.exitCode).toBe(1);
    expect(shown.json().error).toMatchObject({ fault: 'ours' });
    database.prepare('UPDATE job SET document = substr(document, 2) WHERE id = ?').run(id);
    expect((await fleet.cli(['job', 'show', id])).exitCode).toBe(0);
  });

  it('exits 8 when the operator may not run anything', async () => {
    await remote.addOperator('vera', 'viewer');
    const ran = await remote.as('vera', ['run', '*', '--', 'true']);
    expect(ran.exitCode).toBe(8);
    expect(ran.stderr).toContain('viewer');
  });

  it('exits 7 with the next step when no coordinator runs', async () => {
    await fleet.stopCoordinator();
    const ran = await fleet.cli(['run', '*', '--', 'true']);
    expect(ran.exitCode).toBe(7);
    expect(ran.stderr).toContain('flotilla coordinator start');
    await fleet.startCoordinator();
  });
});
