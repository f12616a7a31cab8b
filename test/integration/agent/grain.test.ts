import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectGrains } from '../../../src/agent/grain/collect-grain.ts';
import { GrainReporter } from '../../../src/agent/grain/grain-reporter.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { agentParts } from '../../support/agent-parts.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function source(dir: string, scripts: Record<string, string>, yaml?: string) {
  const directory = join(dir, 'grains.d');
  await mkdir(directory, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }
  const file = join(dir, 'grains.yaml');
  if (yaml !== undefined) await writeFile(file, yaml);
  return {
    file,
    directory,
    executableTimeoutMs: 2_000,
    agentVersion: '1.2.3',
    running: async () => ({ bootId: 'boot-1', slot: 'a', bundleUuid: 'uuid-1', version: '1.0.0' }),
  };
}

describe('the grains of a device', () => {
  it('are those of the machine, of the file and of the executables', async () => {
    await using dir = await temporaryDirectory();
    const from = await source(dir.path, { 'meter.sh': `echo '{"registers": 3}'` }, 'site: harbour\nmeters: [1, 2]\n');
    expect(await collectGrains({ ...from, product: 'harbour-meter' })).toMatchObject({
      os: 'linux',
      hostname: hostname(),
      mem_mb: expect.any(Number),
      timezone: expect.any(String),
      ipv4: expect.any(Array),
      boot_id: 'boot-1',
      agent_version: '1.2.3',
      site: 'harbour',
      meters: [1, 2],
      registers: 3,
      firmware: { product: 'harbour-meter', version: '1.0.0', uuid: 'uuid-1', slot: 'a' },
    });
  });

  it('lose nothing to an executable that fails, hangs, floods or prints no object: each is named with its fault', async () => {
    await using dir = await temporaryDirectory();
    const from = await source(dir.path, {
      'a-fails': 'echo broken >&2; exit 4',
      'b-hangs': 'sleep 30',
      'c-floods': 'head -c 100000 /dev/zero',
      'd-lists': 'echo "[1]"',
      'e-babbles': 'echo "{"',
      'f-works': `echo '{"works": true}'`,
    });
    const grains = await collectGrains({ ...from, executableTimeoutMs: 300 });
    expect(grains['works']).toBe(true);
    expect(grains['grains_errors']).toEqual({
      'a-fails': 'exit 4: broken',
      'b-hangs': 'no end within 300 ms',
      'c-floods': 'it printed more than 65536 bytes',
      'd-lists': 'it did not print one JSON object',
      'e-babbles': 'it did not print one JSON object',
    });
  });

  it('run neither hidden files nor what is not executable, and follow links', async () => {
    await using dir = await temporaryDirectory();
    const from = await source(dir.path, { '.hidden': `echo '{"hidden": 1}'`, plain: `echo '{"plain": 1}'` });
    await chmod(join(from.directory, 'plain'), 0o644);
    await mkdir(join(from.directory, 'folder'));
    const elsewhere = join(dir.path, 'elsewhere');
    await writeFile(elsewhere, `#!/bin/sh\necho '{"linked": 1}'\n`, { mode: 0o755 });
    await symlink(elsewhere, join(from.directory, 'link'));
    const grains = await collectGrains(from);
    expect([grains['hidden'], grains['plain'], grains['linked'], grains['grains_errors']]).toEqual([
      undefined,
      undefined,
      1,
      undefined,
    ]);
  });

  it('cannot claim to be another machine', async () => {
    await using dir = await temporaryDirectory();
    const from = await source(
      dir.path,
      { liar: `echo '{"hostname": "other", "boot_id": "x", "__proto__": {"os": "y"}}'` },
      'os: plan9\n',
    );
    expect(await collectGrains({ ...from, zone: 'Asia/Tokyo' })).toMatchObject({ timezone: 'Asia/Tokyo' });
    expect(await collectGrains(from)).toMatchObject({ os: 'linux', hostname: hostname(), boot_id: 'boot-1' });
  });

  it('say where the file is malformed, and that the machine could not be read', async () => {
    await using dir = await temporaryDirectory();
    const from = await source(dir.path, {}, 'site: [harbour\n');
    const grains = await collectGrains({ ...from, running: () => Promise.reject(new Error('no environment')) });
    expect(grains['grains_errors']).toMatchObject({
      'grains.yaml': expect.stringContaining('line'),
      machine: 'no environment',
    });
    expect(grains['os']).toBe('linux');
  });

  it('are reported when they change, when asked for, and not otherwise', async () => {
    await using parts = await agentParts();
    let site = 'harbour';
    const reporter = () =>
      new GrainReporter({ ...parts, collect: async () => ({ site }), refreshMs: 3_600_000, onReport: () => undefined });
    const first = reporter();
    await first.start();
    await first.refresh();
    await first.stop();
    const second = reporter(); // the next process remembers what was sent
    await second.start();
    const sites = () =>
      parts.events<{ grains: { site: string } }>(Lane.state, 'flotilla.grains').map(({ grains }) => grains.site);
    expect(sites()).toEqual(['harbour']);
    site = 'island';
    await second.refresh();
    await second.refresh({ always: true });
    expect(sites()).toEqual(['harbour', 'island', 'island']);
    await second.stop();
  });

  it('are reported as changes to a coordinator that takes them and has the report before, as a whole to any other', async () => {
    await using parts = await agentParts();
    const filler = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`name-${n}`, `value ${n}`]));
    let site: string | undefined = 'harbour';
    const reporter = () =>
      new GrainReporter({
        ...parts,
        collect: async () => (site === undefined ? filler : { ...filler, site }),
        refreshMs: 3_600_000,
        onReport: () => undefined,
      });
    /** Since the last acknowledgement. */
    const told = (): string[] => {
      const after = parts.log.ackedSeq()[Lane.state]!;
      return parts.log.read(Lane.state, after, 100, 1 << 20).rows.map(({ type }) => type.slice('flotilla.'.length));
    };
    const lastChange = (): object | undefined => parts.events<object>(Lane.state, 'flotilla.grains-change').at(-1);
    const acknowledge = (): void => parts.log.acknowledge(Lane.state, parts.log.nextSeq()[Lane.state]! - 1);
    const first = reporter();
    await first.start();
    first.meet({ takesChanges: true });
    site = 'island';
    await first.refresh();
    expect(told()).toEqual(['grains', 'grains']); // nobody has the first one yet
    acknowledge();
    site = 'quay';
    await first.refresh();
    expect(lastChange()).toMatchObject({ set: { site: 'quay' }, unset: [] });
    site = 'pier';
    await first.refresh(); // the change before waits: not one on top of it
    expect(told()).toEqual(['grains-change', 'grains']);
    acknowledge();
    await first.stop();
    const second = reporter(); // the next process remembers what was sent, and to whom
    site = undefined;
    await second.start();
    expect(lastChange()).toMatchObject({ set: {}, unset: ['site'] });
    second.meet({ takesChanges: false }); // an older coordinator, which has made nothing of it
    await second.refresh();
    expect(told()).toEqual(['grains-change', 'grains']);
    acknowledge();
    site = 'dock';
    await second.refresh();
    expect(told()).toEqual(['grains']);
    await second.stop();
  });
});
