/** A full disk, at the coordinator and under the output of a command: told once, nothing half-written, all well after. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { refusal, refusalAsTyped } from '../support/refusal.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

let fleet: TestFleet;
/** Under the coordinator's data folder. */
let disk: SmallDisk;

const scratch = (...path: string[]) => join(fleet.scratch, ...path);

async function must(args: string[]) {
  const ran = await fleet.cli(args);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran;
}

/** A bundle of that many bytes that nothing compresses; returns its fwup.conf and the bundle. */
async function bundle(name: string, sizeBytes: number): Promise<{ conf: string; path: string }> {
  const conf = scratch(`${name}.conf`);
  const path = scratch(`${name}.fw`);
  const noise = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  await writeFile(scratch(`${name}.bin`), noise);
  await writeFile(
    conf,
    `meta-product = "${name}"\nmeta-version = "1.0.0"\nfile-resource data { host-path = "${name}.bin" }\n` +
      'task complete { on-resource data { raw_write(0) } }\n',
  );
  await must(['firmware', 'build', '-f', conf, '-o', path]);
  return { conf, path };
}

async function expectDiskFull(args: string[], see = refusal): Promise<void> {
  const { error, exitCode } = await see(fleet.cli, args);
  expect([error.code, exitCode], args.join(' ')).toEqual(['disk-full', 4]);
  expect(error.suggestion).toContain('free some space');
}

const certificates = async (): Promise<string[]> =>
  (await must(['cert', 'list', '--json'])).json().map(({ deviceId }: { deviceId: string }) => deviceId);

describe.skipIf(!canMount())('a full disk (skipped where no tmpfs may be mounted)', () => {
  beforeAll(async () => {
    fleet = await createFleet();
    await fleet.stopCoordinator();
    disk = await mountSmallDisk(join(fleet.dir, 'data'), 12 * 1024 * 1024);
    await fleet.startCoordinator();
    await fleet.addAgent('d-1');
    await fleet.connected('d-1');
  });
  afterAll(async () => {
    await disk?.[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
  });

  it('stops a publishing, keeps nothing of it, and the coordinator goes on', async () => {
    const { path } = await bundle('large', 600_000);
    await disk.fill();
    try {
      await expectDiskFull(['release', 'publish', path], refusalAsTyped);
      const left = await readdir(join(fleet.dir, 'data', 'blobs'), { recursive: true });
      expect(left.filter((name) => name !== 'tmp')).toEqual([]);
      expect((await must(['release', 'list', '--json'])).json()).toEqual([]);
    } finally {
      await disk.free();
    }
    await must(['release', 'publish', path]);
    expect((await must(['release', 'list', '--json'])).json()).toMatchObject([{ id: 'large/1.0.0/stable' }]);
  });

  it('under the database refuses what can not be kept; what devices have to say waits for room', async () => {
    const issue = (id: string) => ['cert', 'issue', id, '--out', scratch(id)];
    const command = 'until [ -e go ]; do sleep 0.05; done; echo done';
    const job = (await must(['run', 'd-1', '--detach', '--json', '--', 'sh', '-c', command])).rows().at(-1).job;
    await eventually('the job runs', async () => {
      const [result] = (await must(['job', 'show', job.id, '--json'])).json().results;
      return result.state === 'started';
    });
    await disk.fill();
    try {
      // The write-ahead log may have room for a few more.
      const kept = await certificates();
      let id = 'full-0';
      for (let n = 1; (await fleet.cli(issue(id))).exitCode === 0; n += 1) {
        expect(n).toBeLessThan(50);
        kept.push(id);
        id = `full-${n}`;
      }
      await expectDiskFull(issue(id), refusalAsTyped);
      expect(await readdir(fleet.scratch)).not.toContain(id); // no key without its certificate
      expect(await certificates()).toEqual(kept);
      await writeFile(scratch('d-1', 'go'), '');
      await must(['coordinator', 'status', '--json']);
    } finally {
      await disk.free();
    }
    const waited = await must(['job', 'wait', job.id, '--json']);
    expect(waited.rows().at(-1).job.counts).toEqual({ succeeded: 1 });
    await must(issue('after'));
    expect(await certificates()).toContain('after');
  });

  it('under the output of a command leaves nothing of it', async () => {
    await mkdir(scratch('small'));
    await using small = await mountSmallDisk(scratch('small'), 128 * 1024);
    const at = (name: string) => join(small.path, name);
    const { conf, path } = await bundle('output', 300_000);
    await expectDiskFull(['firmware', 'build', '-f', conf, '-o', at('new.fw')], refusalAsTyped);
    await expectDiskFull(['firmware', 'sign', path, '-o', at('new.fw')]);
    await must(['agent', 'init', scratch('d-2'), '--id', 'd-2', '--coordinator', 'localhost']);
    const before = await certificates();
    await writeFile(scratch('ping.yaml'), "action: { kind: ping }\nselector: '*'\n");
    await small.fill();
    await expectDiskFull(['rollout', 'plan', scratch('ping.yaml'), '-o', at('plan.yaml')]);
    await expectDiskFull(['init', at('fleet'), '--no-passphrase']);
    await expectDiskFull(['agent', 'init', at('agent'), '--id', 'd-3', '--coordinator', 'localhost']);
    await expectDiskFull(['cert', 'issue', 'd-3', '--out', at('d-3')]);
    await expectDiskFull(['cert', 'sign', scratch('d-2', 'device.csr'), '--out', at('device.crt')]);
    await expectDiskFull(['firmware', 'keygen', at('key')]);
    expect(await readdir(small.path)).toEqual(['filler']);
    expect(await certificates()).toEqual(before); // nobody has one that there was no room for
  });

  it('under the run folder or an empty database stops a start, with the reason', async () => {
    const idle = scratch('idle');
    await must(['init', idle, '--no-passphrase', '--port', '0']);
    for (const folder of ['run', 'data']) {
      await using full = await mountSmallDisk(join(idle, folder), 128 * 1024);
      await full.fill();
      await expectDiskFull(['coordinator', 'start', '--detach', '--fleet-dir', idle]);
      await expectDiskFull(['coordinator', 'start', '--fleet-dir', idle]);
      expect((await readdir(full.path)).filter((name) => !/^(coordinator\.(log|lock)|blobs$)/.test(name))).toEqual([
        'filler',
      ]);
    }
  });
});
