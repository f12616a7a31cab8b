/** Rollouts of jobs, settings and certificates to real agents from the command line, and what a plan makes of drift. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Job, Rollout } from '../../src/client/contract/index.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
const ids = ['ra-1', 'ra-2', 'ra-3'];

beforeAll(async () => {
  fleet = await createFleet();
  for (const id of ids) await fleet.addAgent(id);
  for (const id of ids) await fleet.connected(id);
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function policyFile(name: string, policy: object): Promise<string> {
  const path = join(fleet.scratch, name);
  await writeFile(path, stringify(policy));
  return path;
}

async function json<T>(...args: string[]): Promise<T> {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.json<T>();
}

describe('a plan, from the command line', () => {
  it('is refused when a device was tagged, quarantined or replaced since, and each is named', async () => {
    await json('device', 'tag', 'ra-1', 'crew=blue');
    await json('device', 'tag', 'ra-2', 'crew=blue');
    const action = { kind: 'ping' };
    const policy = await policyFile('drift.yaml', { action, selector: 'I@crew:blue', phases: [{ size: 'rest' }] });
    const plan = join(fleet.scratch, 'plan.yaml');
    const planned = await fleet.cli(['rollout', 'plan', policy, '-o', plan]);
    expect(planned.stdout).toMatch(/^ping to 2 devices; 0 B to fetch/);
    const refusal = async (): Promise<string> => {
      const ran = await fleet.cli(['rollout', 'apply', plan, '--json']);
      expect([ran.exitCode, ran.json<{ error: { code: string } }>().error.code]).toEqual([6, 'rollout-drift']);
      return ran.json<{ error: { seen: string } }>().error.seen;
    };
    await json('device', 'tag', 'ra-1', 'crew=red');
    expect(await refusal()).toBe("ra-1 does not match 'I@crew:blue' any more");
    await json('device', 'tag', 'ra-1', 'crew=blue');
    await json('device', 'quarantine', 'ra-1', '--reason', 'odd');
    expect(await refusal()).toBe('ra-1 is quarantined');
    await json('device', 'accept', 'ra-1');
    await fleet.addAgent('ra-9');
    await fleet.connected('ra-9');
    await json('device', 'replace', 'ra-2', 'ra-9', '--yes');
    expect(await refusal()).toBe('ra-2 was replaced by ra-9; ra-9 matches now, and is not in the plan');
  });
});

describe('a policy with an action', () => {
  const phases = [{ size: 1, gate: { success: '100%' } }, { size: 'rest' }];
  const selector = 'L@ra-1,ra-3';

  it('runs a script with its file, phase by phase, and says so everywhere', async () => {
    await writeFile(join(fleet.scratch, 'hello.sh'), '#!/bin/sh\necho "hello $1"\n');
    const action = { kind: 'script', file: 'hello.sh', args: ['{{id}}'], timeout: '30s' };
    const policy = await policyFile('script.yaml', { action, selector, phases });
    await fleet.connected('ra-1');
    const started = await fleet.cli(['rollout', 'start', policy, '--expect', '2', '--yes', '--wait', '--json']);
    expect(started.exitCode, started.stdout + started.stderr).toBe(0);
    const { id, counts } = started.json<Rollout>();
    expect(counts).toEqual({ committed: 2 });
    const job = await json<Job>('job', 'show', `${id}-job`);
    expect(job).toMatchObject({ rollout: id, counts: { succeeded: 2 } });
    expect(job.results!.map(({ stdout }) => stdout)).toEqual(['hello ra-1\n', 'hello ra-3\n']);
    const status = await fleet.cli(['rollout', 'status', id]);
    expect(status.stdout).toMatch(/^action: +script hello\.sh '\{\{id\}\}'$/m);
    expect(status.stdout).toMatch(/ra-1 +1 +committed .* exit 0, r-\w+-job/);
    const report = await fleet.cli(['rollout', 'report', id]);
    expect(report.stdout).toContain('2 offered, 2 proven, 0 failed');
    const why = await fleet.cli(['why', 'ra-1', '--rollout', id]);
    expect(why.stdout).toMatch(/evidence +exit 0; flotilla job show r-\w+-job/);
  });

  it('stops at the canary when a command fails, and when nobody is proven the exit code says so', async () => {
    const action = { kind: 'command', run: ['/bin/sh', '-c', 'exit 3'] };
    const policy = await policyFile('fails.yaml', { action, selector, phases });
    const ran = await fleet.cli(['rollout', 'start', policy, '--expect', '2', '--yes', '--wait', '--json']);
    expect(ran.exitCode).toBe(4);
    expect(ran.json<Rollout>()).toMatchObject({ state: 'halted', counts: { failed: 1, waiting: 1 } });
    await json('rollout', 'abort', ran.json<Rollout>().id);
  });

  it('brings new certificates, proven by sessions with them', async () => {
    const policy = await policyFile('certificate.yaml', { action: { kind: 'certificate' }, selector, phases });
    const ran = await fleet.cli(['rollout', 'start', policy, '--expect', '2', '--yes', '--wait', '--json']);
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
    for (const { deviceId, proof } of ran.json<Rollout>().devices ?? []) {
      expect(proof).toMatchObject({ kind: 'certificate' });
      const { certificate } = await json<{ certificate: { serial: string } }>('device', 'show', deviceId);
      expect(proof).toMatchObject({ serial: certificate.serial });
    }
  });

  it('is tried in memory by the same file', async () => {
    const policy = await policyFile('simulated.yaml', { action: { kind: 'certificate' }, selector: '*', phases });
    const ran = await fleet.cli(['rollout', 'simulate', policy, '--devices', '50', '--json']);
    expect([ran.exitCode, ran.json<{ ending: string }>().ending]).toEqual([0, 'completed']);
  });
});
