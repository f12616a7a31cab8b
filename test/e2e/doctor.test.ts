/** `flotilla doctor` on a real fleet: well, with each of its parts broken, and with the coordinator gone. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createFleet();
  await fleet.addAgent('gw-1');
  await fleet.connected('gw-1');
}, 60_000);
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function doctor(): Promise<{ exitCode: number; of(id: string): Finding | undefined; failed: string[] }> {
  const ran = await fleet.cli(['doctor', '--json']);
  const { version, ok, findings } = ran.json<{ version: number; ok: boolean; findings: Finding[] }>();
  expect(version).toBe(1);
  expect(ran.exitCode).toBe(ok ? 0 : 4);
  for (const { verdict, mend } of findings) if (verdict !== 'ok') expect(mend).toBeTruthy();
  const failed = findings.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
  return { exitCode: ran.exitCode, of: (id) => findings.find((one) => one.id === id), failed };
}

describe('flotilla doctor', () => {
  it('finds nothing wrong in a fleet that runs, and has looked at all of it', async () => {
    const { exitCode, of, failed } = await doctor();
    expect([exitCode, failed]).toEqual([0, []]);
    const well = [
      'keys',
      'folders',
      'ticket-key',
      'certificates',
      'identity',
      'database',
      'coordinator',
      'port',
      'remains',
    ];
    const ofDevices = [
      'file-descriptors',
      'dead-letters',
      'alerts',
      'device-clocks',
      'device-certificates',
      'device-versions',
    ];
    for (const id of [...well, ...ofDevices]) expect([id, of(id)?.verdict]).toEqual([id, 'ok']);
    expect(of('audit')?.seen).toContain('whole');
    expect(of('backup')?.mend).toContain('.backup');
  });

  it('names each thing that is broken, with the command that mends it, and is well again after it', async () => {
    const key = join(fleet.dir, 'pki', 'coordinator.key');
    await chmod(key, 0o640);
    expect((await doctor()).of('keys')).toMatchObject({
      verdict: 'fail',
      mend: expect.stringContaining(`chmod 600 ${key}`),
    });
    await chmod(key, 0o600);

    const database = new DatabaseSync(join(fleet.dir, 'data', 'flotilla.db'));
    const { subject } = database.prepare('SELECT subject FROM audit WHERE seq = 3').get() as { subject: string };
    const put = (text: string) => database.prepare('UPDATE audit SET subject = ? WHERE seq = 3').run(text);
    put('gw-9');
    expect((await doctor()).of('audit')).toMatchObject({
      verdict: 'fail',
      seen: expect.stringContaining('row 3 was changed'),
    });
    put(subject);
    database.close();
    expect((await doctor()).failed).toEqual([]);
  });

  it('works without the coordinator, and says what one that was killed has left', async () => {
    const { pid } = (await fleet.cli(['coordinator', 'status', '--json'])).json<{ pid: number }>();
    process.kill(pid, 'SIGSTOP');
    const hung = await doctor();
    process.kill(pid, 'SIGCONT');
    expect(hung.of('coordinator')).toMatchObject({
      verdict: 'warn',
      seen: expect.stringContaining('no answer within'),
    });
    expect(hung.of('remains')).toMatchObject({ verdict: 'fail', mend: expect.stringContaining(`kill ${pid}`) });
    await fleet.killCoordinator();
    const killed = await doctor();
    expect(killed.of('coordinator')).toMatchObject({ verdict: 'warn', mend: 'flotilla coordinator start --detach' });
    expect(killed.of('remains')).toMatchObject({ verdict: 'warn' });
    expect(killed.of('database')).toMatchObject({ verdict: 'ok' });
    await fleet.startCoordinator();
    await fleet.stopCoordinator();
    const after = await doctor();
    expect([after.exitCode, after.of('remains')?.verdict, after.of('audit')?.verdict]).toEqual([0, 'ok', 'ok']);
    await fleet.startCoordinator();
  });
});
