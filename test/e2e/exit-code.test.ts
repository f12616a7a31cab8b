/** The exit codes that scripts rely on, from the real command line against real agents. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
const agents = new Map<string, TestAgent>();

beforeAll(async () => {
  fleet = await createFleet();
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
      for (const id of ['d-1', 'd-3']) {
        const result = results.find((one) => one.deviceId === id);
        expect(result).toMatchObject({ outcome: 'succeeded' });
        // Their own clocks say when they had ended: long before the stalled one's timeout.
        expect(result.finishedAtMs - startedAtMs).toBeLessThan(2500);
      }
      expect(['timed-out', 'unknown']).toContain(results.find((one) => one.deviceId === 'd-2')?.outcome);
      expect(tookMs).toBeGreaterThan(2900);
    } finally {
      agents.get('d-2')?.signal('SIGCONT');
    }
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

  it('exits 7 with the next step when no coordinator runs', async () => {
    await fleet.stopCoordinator();
    const ran = await fleet.cli(['run', '*', '--', 'true']);
    expect(ran.exitCode).toBe(7);
    expect(ran.stderr).toContain('flotilla coordinator start');
    await fleet.startCoordinator();
  });
});
