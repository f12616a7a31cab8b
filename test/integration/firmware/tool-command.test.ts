/** inspect, lint, diff and init as typed. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla } from '../../support/cli.ts';
import { soundConfig, spoiled } from '../../support/firmware-config.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let cwd: string;
const run = (...args: string[]) => flotilla(['firmware', ...args], { cwd });
const early = spoiled(soundConfig, ['info("a")', 'uboot_setenv(env, "slot", "a")']);

beforeAll(async () => {
  scratch = await temporaryDirectory();
  cwd = scratch.path;
  await writeFile(join(cwd, 'fwup.conf'), soundConfig);
  await writeFile(join(cwd, 'early.conf'), early);
  await writeFile(join(cwd, 'moved.conf'), soundConfig.replaceAll('3072', '5120').replace('meta-version = "1.0.0"', 'meta-version = ${VERSION}')); // prettier-ignore
  await run('keygen', 'key');
  for (const [config, bundle] of [
    ['fwup.conf', 'sound.fw'],
    ['early.conf', 'early.fw'],
  ] as const) {
    const built = await run('build', '-f', config, '-o', bundle, '--key', 'key.priv');
    expect(built.stderr + built.exitCode).toBe('0');
  }
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe('flotilla firmware inspect', () => {
  it('draws the disk of a bundle and of the configuration that it was built from alike', async () => {
    const [bundle, configuration] = [await run('inspect', 'sound.fw', '--json'), await run('inspect', 'fwup.conf', '--json')]; // prettier-ignore
    expect([bundle.exitCode, configuration.exitCode]).toEqual([0, 0]);
    const [a, b] = [bundle.json(), configuration.json()];
    expect(a).toMatchObject({ source: 'bundle', product: 'gateway', signed: true, uuid: expect.any(String) });
    expect(b).toMatchObject({ source: 'configuration', product: 'gateway', resources: [{ name: 'boot.img', lengthBytes: 4 }, { name: 'rootfs.img', lengthBytes: 4 }] }); // prettier-ignore
    const { tasks: first, ...layout } = a.layout;
    const { tasks: second, ...other } = b.layout;
    expect(layout).toEqual(other);
    const withoutPlaces = (tasks: any[]) => tasks.map(({ writes, ...task }) => ({ ...task, writes: writes.map(({ position: _, ...write }: any) => write) })); // prettier-ignore
    expect(withoutPlaces(first)).toEqual(withoutPlaces(second));
    const shown = await run('inspect', 'sound.fw');
    expect(shown.stdout).toMatch(
      /signature: +there, not checked\n[^]*│ +5 .*slot a +│[^]*slots a, b: chosen by slot in env\n/,
    );
  });

  it('writes the drawing as SVG, and never over a file', async () => {
    const first = await run('inspect', 'early.conf', '--svg', 'disk.svg', '--json');
    expect(first.json().svg).toBe('disk.svg');
    expect(await readFile(join(cwd, 'disk.svg'), 'utf8')).toMatch(/^<\?xml[^]*partition 1[^]*<\/svg>\n$/);
    const again = await run('inspect', 'fwup.conf', '--svg', 'disk.svg', '--json');
    expect([again.exitCode, again.json().error.code]).toEqual([6, 'file-exists']);
  });

  it('takes variables, and refuses what is neither a bundle nor a configuration', async () => {
    const defined = await run('inspect', 'moved.conf', '--define', 'VERSION=2.0.0', '--json');
    expect(defined.json().version).toBe('2.0.0');
    await writeFile(join(cwd, 'image.bin'), Buffer.alloc(4096));
    const refused = await run('inspect', 'image.bin', '--json');
    expect([refused.exitCode, refused.json().error.code]).toEqual([2, 'firmware-config']);
    const missing = await run('inspect', 'nowhere', '--json');
    expect([missing.exitCode, missing.json().error.code]).toEqual([2, 'firmware-file-unreadable']);
  });
});

describe('flotilla firmware lint', () => {
  it('is content with a sound bundle and configuration', async () => {
    const linted = await run('lint', 'sound.fw', 'fwup.conf', '--strict', '--disk-size', '4608b', '--json');
    expect([linted.exitCode, linted.json()]).toEqual([0, { ok: true, findings: [] }]);
    expect((await run('lint', 'fwup.conf')).stdout).toBe('nothing to find fault with');
  });

  it('says where, why and what to do, and exits with 4', async () => {
    const text = await run('lint', 'early.conf');
    expect(text.exitCode).toBe(4);
    expect(text.stdout).toMatch(/error switch-before-data  early\.conf:\d+:\d+  task upgrade\.a\n  seen  uboot_setenv\(env, slot, a\) in on-init .*\n  why .*\n  do /); // prettier-ignore
    const json = await run('lint', 'sound.fw', 'early.fw', '--json');
    expect(json.exitCode).toBe(4);
    const [finding] = json.json().findings;
    expect(finding).toEqual({
      code: 'switch-before-data',
      severity: 'error',
      position: { file: 'early.fw/meta.conf', line: expect.any(Number), column: 1 },
      task: 'upgrade.a',
      seen: expect.any(String),
      why: expect.any(String),
      mend: expect.any(String),
    });
  });

  it('lets warnings fail only with --strict', async () => {
    await writeFile(join(cwd, 'single.conf'), spoiled(soundConfig, [' block-offset-redund = 512', '']));
    expect((await run('lint', 'single.conf')).exitCode).toBe(0);
    expect((await run('lint', 'single.conf', '--strict')).exitCode).toBe(4);
  });

  it('finds what lies behind the end of the disk, and takes no nonsense for a size', async () => {
    const small = await run('lint', 'fwup.conf', '--disk-size', '2M', '--json');
    expect([small.exitCode, small.json().findings[0].code]).toEqual([4, 'past-disk-end']);
    const wrong = await run('lint', 'fwup.conf', '--disk-size', 'huge', '--json');
    expect([wrong.exitCode, wrong.json().error.code]).toEqual([2, 'firmware-disk-size-invalid']);
  });
});

describe('flotilla firmware diff', () => {
  it('finds no difference between a bundle and itself', async () => {
    const diff = await run('diff', 'sound.fw', 'sound.fw', '--json');
    expect(diff.json()).toMatchObject({ same: true, metadata: [], resources: [], tasks: [], regions: [] });
  });

  it('names what changed, and sees that a slot has moved', async () => {
    const diff = await run('diff', 'fwup.conf', 'moved.conf', '--define', 'VERSION=2.0.0', '--upgradable', '--json');
    expect(diff.exitCode).toBe(4);
    const { metadata, regions, tasks, upgrade } = diff.json();
    expect(metadata).toEqual([{ name: 'meta-version', before: '1.0.0', after: '2.0.0' }]);
    expect(regions).toEqual([{ name: 'partition 2', before: { firstBlock: 3072, blockCount: 1024 }, after: { firstBlock: 5120, blockCount: 1024 } }]); // prettier-ignore
    expect(tasks).toEqual([
      {
        name: 'upgrade.b',
        change: 'changed',
        parts: [
          { part: 'requires', removed: ['require-partition-offset(2, 3072)'], added: ['require-partition-offset(2, 5120)'] }, // prettier-ignore
          { part: 'rootfs.img', removed: ['raw_write(3072)'], added: ['raw_write(5120)'] },
        ],
      },
    ]);
    expect(upgrade.possible).toBe(false);
    expect(upgrade.checks.filter(({ verdict }: any) => verdict === 'bad').map(({ what }: any) => what)).toEqual([
      expect.stringContaining('slot b'),
      expect.stringContaining('slot a'),
    ]);
  });

  it('says that an upgrade is possible where it is, and not for another board', async () => {
    await writeFile(join(cwd, 'next.conf'), spoiled(soundConfig, ['1.0.0', '1.1.0'], ['contents = "root"', 'contents = "root 2"'])); // prettier-ignore
    const next = await run('diff', 'fwup.conf', 'next.conf', '--upgradable');
    expect([next.exitCode, next.stdout]).toEqual([0, expect.stringMatching(/an upgrade is possible$/)]);
    await writeFile(join(cwd, 'board.conf'), spoiled(soundConfig, ['board-1', 'board-2']));
    const board = await run('diff', 'fwup.conf', 'board.conf', '--upgradable');
    expect([board.exitCode, board.stdout]).toEqual([4, expect.stringContaining('the platform differs: board-1 and board-2')]); // prettier-ignore
  });
});

describe('flotilla firmware init', () => {
  it('writes a starter and a pipeline, says the next steps, and never overwrites', async () => {
    const made = await run('init', 'product', '--board', 'x86-gpt', '--ci', 'gitlab', '--json');
    expect(made.json().files.map(({ path }: any) => path)).toEqual([
      'product/fwup.conf',
      'product/grub.cfg',
      'product/.gitlab-ci.yml',
      'product/ci/release-firmware.sh',
    ]);
    expect(made.json().next.length).toBeGreaterThan(3);
    expect((await stat(join(cwd, 'product', 'ci', 'release-firmware.sh'))).mode & 0o111).not.toBe(0);
    await mkdir(join(cwd, 'half'));
    await writeFile(join(cwd, 'half', 'grub.cfg'), 'mine');
    const refused = await run('init', 'half', '--board', 'x86-gpt', '--json');
    expect([refused.exitCode, refused.json().error.code]).toEqual([6, 'file-exists']);
    expect(await readFile(join(cwd, 'half', 'grub.cfg'), 'utf8')).toBe('mine');
    await expect(stat(join(cwd, 'half', 'fwup.conf'))).rejects.toThrow('ENOENT');
  });

  it('asks what to begin with', async () => {
    const nothing = await run('init', '--json');
    expect([nothing.exitCode, nothing.json().error.code]).toEqual([2, 'firmware-init-nothing']);
  });
});
