/** New hardware takes over the place of a device, from the command line, with both of them running. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';

it('a device is replaced: tags, settings and history go over, the old one is out', async () => {
  await using fleet = await createFleet();
  const quick = (yaml: string) =>
    yaml.replace('firstMaxMs: 5000', 'firstMaxMs: 300').replace('maxMs: 300000', 'maxMs: 1000');
  const json = async (...args: string[]) => {
    const ran = await fleet.cli([...args, '--json']);
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
    return ran.json();
  };
  const refusal = async (...args: string[]) => {
    const ran = await fleet.cli([...args, '--json']);
    return [ran.exitCode, ran.json().error.code];
  };
  for (const id of ['old-1', 'new-1', 'new-2']) await fleet.addAgent(id, { configure: quick });
  for (const id of ['old-1', 'new-1', 'new-2']) await fleet.connected(id);
  await json('device', 'tag', 'old-1', 'ring=canary', 'site=harbour');
  await json('device', 'tag', 'new-1', 'ring=main', 'owner=anna');
  const limits = join(fleet.scratch, 'limits.yaml');
  await writeFile(limits, 'maxPower: 10\n');
  await json('device', 'config', 'set', 'old-1', 'limits', limits);

  // What can't be meant.
  expect(await refusal('device', 'replace', 'old-1', 'old-1', '--dry-run')).toEqual([2, 'device-replace-same']);
  expect(await refusal('device', 'replace', 'old-1', 'nobody', '--dry-run')).toEqual([2, 'device-unknown']);
  expect(await refusal('device', 'replace', 'nobody', 'new-1', '--dry-run')).toEqual([2, 'device-unknown']);
  await json('device', 'quarantine', 'new-2', '--reason', 'odd');
  expect(await refusal('device', 'replace', 'old-1', 'new-2', '--dry-run')).toEqual([6, 'device-replace-state']);
  await json('device', 'accept', 'new-2');

  // Nothing happens but by a confirmation.
  const plan = await json('device', 'replace', 'old-1', 'new-1', '--dry-run');
  expect(plan).toMatchObject({
    dryRun: true,
    tags: { ring: 'canary', site: 'harbour', owner: 'anna' },
    configs: ['limits'],
    conflicts: ['tag ring'],
    accepts: false,
  });
  expect(plan.revokes).toHaveLength(1);
  expect((await fleet.cli(['device', 'replace', 'old-1', 'new-1', '--json'])).exitCode).toBe(6);
  expect((await json('device', 'show', 'old-1')).state).toBe('accepted');
  expect((await json('device', 'show', 'new-1')).tags).toEqual({ ring: 'main', owner: 'anna' });

  const text = (await fleet.cli(['device', 'replace', 'old-1', 'new-1', '--yes'])).stdout;
  expect(text).toContain('new-1 has taken the place of old-1');
  const next = await json('device', 'show', 'new-1');
  expect(next).toMatchObject({ state: 'accepted', tags: plan.tags, replaces: 'old-1', lineage: ['new-1', 'old-1'] });
  const old = await eventually('the old one is cut off', async () => {
    const shown = await json('device', 'show', 'old-1');
    return !shown.connected && shown;
  });
  expect(old).toMatchObject({ state: 'revoked', replacedBy: 'new-1' });
  expect((await fleet.cli(['device', 'show', 'old-1'])).stdout).toMatch(/replaced by: +new-1/);
  expect((await fleet.cli(['device', 'show', 'new-1'])).stdout).toMatch(/replaces: +old-1/);
  expect((await fleet.cli(['why', 'old-1'])).stdout).toContain('new-1 has taken its place');
  expect((await json('device', 'config', 'get', 'new-1')).map(({ name }: { name: string }) => name)).toEqual([
    'limits',
  ]);
  expect((await fleet.cli(['run', 'new-1', '--', 'true'])).exitCode).toBe(0);

  const devicesIn = async (...more: string[]) => {
    const rows = (await fleet.cli(['event', 'tail', '--limit', '200', '--device', 'new-1', '--json', ...more])).rows();
    return [...new Set(rows.map(({ deviceId }) => deviceId))].toSorted();
  };
  expect(await devicesIn()).toEqual(['new-1']);
  expect(await devicesIn('--lineage')).toEqual(['new-1', 'old-1']);

  expect(await refusal('device', 'replace', 'old-1', 'new-2', '--dry-run')).toEqual([6, 'device-replaced']);
  expect(await refusal('device', 'replace', 'new-2', 'new-1', '--dry-run')).toEqual([6, 'device-replaces']);
  expect(await refusal('device', 'replace', 'new-1', 'old-1', '--dry-run')).toEqual([6, 'device-replace-state']);

  // A second time, by one that waits in pending; the whole line is remembered, after a restart too.
  const csr = join(fleet.scratch, 'new-3');
  await json('agent', 'init', csr, '--id', 'new-3', '--coordinator', `127.0.0.1:${fleet.port}`);
  await json('cert', 'sign', join(csr, 'device.csr'), '--out', join(csr, 'device.crt'), '--pending');
  await fleet.stopCoordinator();
  await fleet.startCoordinator();
  expect(await json('device', 'replace', 'new-1', 'new-3', '--yes')).toMatchObject({ accepts: true, conflicts: [] });
  expect(await json('device', 'show', 'new-3')).toMatchObject({
    state: 'accepted',
    lineage: ['new-3', 'new-1', 'old-1'],
    tags: plan.tags,
  });
});
