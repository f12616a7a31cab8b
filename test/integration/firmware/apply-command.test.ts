/** `flotilla firmware apply` as typed. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountPointsOn } from '../../../src/firmware/index.ts';
import { flotilla } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let cwd: string;
const run = (...args: string[]) => flotilla(['firmware', ...args], { cwd });
const apply = (...args: string[]) => run('apply', ...args, '--json');
const payload = Buffer.alloc(3000, 'payload ');
const isThere = (name: string) => stat(join(cwd, name)).then(() => true, () => false); // prettier-ignore

/** A loop device over an image, where this user may make one. */
const loop = await makeLoop();

beforeAll(async () => {
  scratch = await temporaryDirectory();
  cwd = scratch.path;
  await writeFile(join(cwd, 'payload.bin'), payload);
  await writeFile(
    join(cwd, 'fwup.conf'),
    `meta-product = "gateway"
file-resource payload { host-path = "payload.bin" }
task complete { on-resource payload { raw_write(8) } on-finish { info("note for \${WHO}") } }
task upgrade.never { require-fat-file-exists(0, "x") on-resource payload { raw_write(64) } }
task upgrade.b { on-resource payload { raw_write(64) } }
task shell.pipe { on-resource payload { pipe_write("cat > piped") } }
task shell.run { on-init { raw_memset(0, 1, 1) execute("echo ran > run") } }
`.replace('${WHO}', '\\${WHO}'),
  );
  for (const name of ['key', 'other']) await run('keygen', name);
  const built = await run('build', '-o', 'a.fw', '--key', 'key.priv');
  expect(built.stderr + built.exitCode).toBe('0');
});
afterAll(async () => {
  await scratch[Symbol.asyncDispose]();
  if (loop) await loop.remove();
});

describe('flotilla firmware apply', () => {
  it('refuses without a key and with the wrong one, and leaves nothing behind', async () => {
    const target = ['a.fw', '-d', 'refused.img', '-t', 'complete'];
    const without = await apply(...target);
    expect([without.exitCode, without.json().error.code]).toEqual([6, 'firmware-no-key']);
    const wrong = await apply(...target, '--key', 'other.pub');
    expect([wrong.exitCode, wrong.json().error.code]).toEqual([6, 'firmware-wrong-key']);
    const unknown = await apply('a.fw', '-d', 'refused.img', '-t', 'nowhere', '--key', 'key.pub');
    expect([unknown.exitCode, unknown.json().error.code]).toEqual([6, 'firmware-no-task']);
    expect(await isThere('refused.img')).toBe(false);
  });

  it('makes an image, and writes over it only when that is confirmed', async () => {
    const complete = ['a.fw', '-d', 'disk.img', '-t', 'complete', '--key', 'key.pub', '--define', 'WHO=me'];
    const first = await apply(...complete);
    expect(first.json()).toEqual({
      destination: 'disk.img',
      task: 'complete',
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      bytesWritten: expect.any(Number),
      dryRun: false,
      messages: ['note for me'],
    });
    const image = await readFile(join(cwd, 'disk.img'));
    expect(image.subarray(4096, 7096).equals(payload)).toBe(true);
    const again = await apply('a.fw', '-d', 'disk.img', '-t', 'upgrade', '--key', 'key.pub');
    expect([again.exitCode, again.json().error.code]).toEqual([6, 'confirmation-needed']);
    expect((await readFile(join(cwd, 'disk.img'))).equals(image)).toBe(true);
    const confirmed = await run('apply', 'a.fw', '-d', 'disk.img', '-t', 'upgrade', '--key', 'key.pub', '--yes');
    expect(confirmed.stdout).toMatch(/^upgrade\.b: wrote \d[\d.]* KiB to disk\.img$/);
    expect((await readFile(join(cwd, 'disk.img'))).subarray(32_768, 35_768).equals(payload)).toBe(true);
  });

  it('tells with --dry-run which task it would be, after the whole bundle was proved', async () => {
    const dry = await run('apply', 'a.fw', '-d', 'dry.img', '-t', 'upgrade', '--key', 'key.pub', '--dry-run');
    expect(dry.stdout).toBe('upgrade.b would be applied to dry.img; nothing was written');
    const bytes = await readFile(join(cwd, 'a.fw'));
    bytes[bytes.indexOf('data/payload') + 40]! ^= 1;
    await writeFile(join(cwd, 'damaged.fw'), bytes);
    const damaged = await apply('damaged.fw', '-d', 'dry.img', '-t', 'upgrade', '--key', 'key.pub', '--dry-run');
    expect([damaged.exitCode, damaged.json().error.code]).toEqual([6, 'firmware-resource-damaged']);
    const small = await apply('a.fw', '-d', 'dry.img', '-t', 'upgrade', '--key', 'key.pub', '--dry-run', '--disk-size', '64b'); // prettier-ignore
    expect(small.json().error.code).toBe('firmware-disk-too-small');
    expect(await isThere('dry.img')).toBe(false);
  });

  it('lets a bundle run commands only with --unsafe, and says so before the first write', async () => {
    for (const [task, made] of [
      ['shell.pipe', 'piped'],
      ['shell.run', 'run'],
    ] as const) {
      const target = ['a.fw', '-d', `${made}.img`, '-t', task, '--key', 'key.pub'];
      const refused = await apply(...target);
      expect([refused.exitCode, refused.json().error.code]).toEqual([6, 'firmware-unsafe']);
      expect([await isThere(made), await isThere(`${made}.img`)]).toEqual([false, false]);
      const allowed = await apply(...target, '--unsafe');
      expect(allowed.json()).toMatchObject({ task });
      expect(await isThere(made)).toBe(true);
    }
    expect((await readFile(join(cwd, 'piped'))).equals(payload)).toBe(true);
  });

  it.skipIf(!loop)('refuses a device that something is mounted from, and takes it when nothing is', async () => {
    const { device, folder } = loop!;
    await execa('mkfs.ext4', ['-q', device]);
    await execa('mount', [device, folder]);
    const target = ['a.fw', '-d', device, '-t', 'complete', '--key', 'key.pub', '--yes'];
    try {
      expect(await mountPointsOn(device)).toEqual([folder]);
      const refused = await apply(...target);
      expect([refused.exitCode, refused.json().error.code]).toEqual([6, 'firmware-destination-mounted']);
    } finally {
      await execa('umount', [folder]);
    }
    expect((await apply(...target)).json()).toMatchObject({ destination: device, task: 'complete' });
    const written = await execa('dd', [`if=${device}`, 'bs=512', 'skip=8', 'count=5'], { encoding: 'buffer' });
    expect(payload.subarray(0, 2560).equals(written.stdout)).toBe(true);
  });
});

async function makeLoop() {
  const place = await temporaryDirectory();
  const image = join(place.path, 'loop.img');
  await writeFile(image, Buffer.alloc(4 * 1024 * 1024));
  const { exitCode, stdout } = await execa('losetup', ['--find', '--show', image], { reject: false });
  if (exitCode !== 0) {
    await place[Symbol.asyncDispose]();
    process.stderr.write('skipped: no loop device can be made here\n');
    return undefined;
  }
  const folder = join(place.path, 'mounted');
  await mkdir(folder);
  return {
    device: stdout.trim(),
    folder,
    async remove() {
      await execa('losetup', ['--detach', stdout.trim()], { reject: false });
      await place[Symbol.asyncDispose]();
    },
  };
}
