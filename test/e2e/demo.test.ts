/** The demo as a newcomer runs it, and tools that are none of ours as judges of what it says. */
import { createHash } from 'node:crypto';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DemoReport } from '../../src/demo/index.ts';
import { flotilla, start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';

const hasPrintenv = (await execa('fw_printenv', ['--version'], { reject: false })).exitCode !== undefined;
const hasPython = (await execa('python3', ['--version'], { reject: false })).exitCode === 0;
const slotOffset: Record<string, number> = { a: 4096 * 512, b: 20_480 * 512 };

/** Everything that still runs out of this folder. */
async function processesOf(dir: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid,args', '-ww']);
  return stdout.split('\n').filter((line) => line.includes(dir));
}

describe('flotilla demo', () => {
  let report: DemoReport;
  let exitCode = -1;

  const disks = () => report.devices.map(({ id, ring, atEnd }) => ({ id, ring, atEnd: atEnd! }));

  beforeAll(async () => {
    const ran = await flotilla(['demo', '--devices', '5', '--keep', '--json'], { timeoutMs: 170_000 });
    exitCode = ran.exitCode;
    report = ran.json<DemoReport>();
  });
  afterAll(() => rm(report.dir, { recursive: true, force: true }));

  it('observes all that it promises', () => {
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect([report.ok, exitCode]).toEqual([true, 0]);
    expect(report.devices).toHaveLength(5);
  });

  it('leaves no process behind', async () => {
    expect(await processesOf(report.dir)).toEqual([]);
  });

  it.skipIf(!hasPrintenv)('says of each disk what fw_printenv of U-Boot says', async () => {
    const config = join(report.dir, 'fw_env.config');
    for (const { id, atEnd } of disks()) {
      const disk = join(report.dir, 'board', id, 'disk.img');
      await writeFile(config, `${disk} ${1024 * 512} 0x2000\n${disk} ${1280 * 512} 0x2000\n`);
      const printed = await execa('fw_printenv', ['-c', config]);
      const variables = Object.fromEntries(printed.stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)));
      expect(variables).toMatchObject({
        active_slot: atEnd.activeSlot,
        upgrade_available: '0',
        [`${atEnd.activeSlot}.uuid`]: atEnd.uuids[atEnd.activeSlot],
        [`${atEnd.activeSlot}.version`]: '2.0.0',
      });
    }
  });

  it.skipIf(!hasPython)(
    'has on each disk the bytes of the members of the bundles, by sha256sum and a foreign unzip',
    async () => {
      const digests: Record<string, { sha256: string; bytes: number }> = {};
      for (const { version } of report.releases) {
        const bundle = join(report.dir, `harbour-meter-${version}.fw`);
        const member = await execa('python3', ['-c', unzip, bundle, 'data/rootfs.img'], {
          encoding: 'buffer',
          maxBuffer: 1 << 26,
        });
        digests[version] = {
          sha256: createHash('sha256').update(member.stdout).digest('hex'),
          bytes: member.stdout.length,
        };
      }
      const [first, second, third] = ['1.0.0', '2.0.0', '3.0.0'].map((version) => digests[version]!);
      for (const { id, ring, atEnd } of disks()) {
        const disk = join(report.dir, 'board', id, 'disk.img');
        const other = atEnd.activeSlot === 'a' ? 'b' : 'a';
        expect(await sha256sum(disk, slotOffset[atEnd.activeSlot]!, second!.bytes), `${id}, active slot`).toBe(
          second!.sha256,
        );
        const left = ring === 'canary' ? third! : first!;
        expect(await sha256sum(disk, slotOffset[other]!, left.bytes), `${id}, other slot`).toBe(left.sha256);
      }
    },
  );

  it('agrees with the record that it left, and with the boards logs', async () => {
    expect(JSON.parse(await readFile(join(report.dir, 'report.json'), 'utf8'))).toEqual(report);
    for (const { id, boots } of report.devices) {
      const log = await readFile(join(report.dir, 'board', id, 'board.log'), 'utf8');
      const ids = [...log.matchAll(/"event":"boot","bootId":"([^"]+)"/g)].map((match) => match[1]);
      expect(boots.map(({ bootId }) => bootId)).toEqual(ids);
    }
  });
});

describe('flotilla demo, interrupted', () => {
  it('ends every process and removes its folder at Ctrl-C', async () => {
    const child = start(['demo', '--devices', '4'], { env: { TMPDIR: '/tmp' }, timeoutMs: 60_000 });
    const boards = (pid: number) => execa('pgrep', ['-P', String(pid), '-f', 'board'], { reject: false });
    const dir = await eventually('boards run', async () => {
      const { stdout } = await boards(child.pid!);
      const first = stdout.split('\n').find((line) => line !== '');
      if (first === undefined) return undefined;
      const argv = (await readFile(`/proc/${first}/cmdline`, 'utf8')).split('\0');
      return argv.find((each) => each.includes('flotilla-demo-'))?.match(/^(.*flotilla-demo-[^/]+)/)?.[1];
    });
    child.kill('SIGINT');
    const { exitCode } = await child;
    expect(exitCode).toBe(130);
    expect(await processesOf(dir)).toEqual([]);
    await expect(open(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

const unzip = 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))';

async function sha256sum(disk: string, offset: number, bytes: number): Promise<string> {
  const { stdout } = await execa('sh', [
    '-c',
    'tail -c +"$(($2 + 1))" "$1" | head -c "$3" | sha256sum',
    'sh',
    disk,
    String(offset),
    String(bytes),
  ]);
  return stdout.split(' ')[0]!;
}
