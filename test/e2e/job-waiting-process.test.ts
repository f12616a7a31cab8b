/** A job's command in a process that waited for it: what an operator sees is the same, and nothing is left of it. */
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';
import { waitingShells } from '../support/waiting-shell.ts';

it('runs a command in the process that waited, the next one beside it, and leaves none behind', async () => {
  await using fleet = await createFleet();
  const agent = await fleet.addAgent('d-1', { configure: (yaml) => yaml.replace('  shell: false', '  shell: true') });
  await fleet.connected('d-1');
  const waits = () => eventually('a process waits', () => waitingShells(agent.pid)[0]);
  const result = async (...args: string[]) => {
    const ran = await fleet.cli(['run', 'd-1', '--json', ...args]);
    return ran.rows().findLast((row) => row.kind === 'result').result;
  };

  expect(waitingShells(agent.pid)).toEqual([]); // an agent that runs no commands pays for none
  expect(await result('--', 'true')).toMatchObject({ outcome: 'succeeded' });
  const first = await waits();
  const ids = String.raw`printf '%s %s <%s>\n' $$ "$FLOTILLA_JOB_ID" "$(cat)"; echo "it's" >&2; exit 3`;
  const one = await result('--shell', '--', ids);
  expect(one).toMatchObject({ outcome: 'failed', exitCode: 3, stderr: "it's\n" });
  expect(one.stdout).toMatch(new RegExp(`^${first} j-\\S+ <>\n$`));

  const direct = await result('--shell', '--', 'echo $$'); // before another waits, or in the other
  expect(direct).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
  expect(Number(direct.stdout)).not.toBe(first);

  const second = await waits();
  expect(await result('--', 'no-such-program-here')).toMatchObject({
    outcome: 'failed',
    reason: expect.stringContaining('ENOENT') as unknown,
  });
  expect(await result('--timeout', '1s', '--', 'sleep', '60')).toMatchObject({ outcome: 'timed-out' });
  expect(waitingShells(agent.pid)).not.toContain(second);

  const third = await waits();
  expect((await fleet.cli(['ping', 'd-1'])).exitCode).toBe(0);
  expect(waitingShells(agent.pid)).toEqual([third]);
  await agent.kill();
  await eventually('it has ended with its agent', () => !isAlive(third));
  await agent.restart();
  await fleet.connected('d-1');
  expect(await result('--', 'true')).toMatchObject({ outcome: 'succeeded' });
  const fourth = await waits();
  agent.signal('SIGTERM');
  await eventually('it has ended with its agent', () => !isAlive(agent.pid) && !isAlive(fourth));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
