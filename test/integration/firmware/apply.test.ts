import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyBundle,
  buildBundle,
  readPublicKey,
  readUbootEnvironment,
  type ApplyOption,
} from '../../../src/firmware/index.ts';
import { readPrivateKey } from '../../../src/firmware/archive/key.ts';
import { addSignedHead } from '../../../src/firmware/archive/sign.ts';
import { ZipWriter } from '../../../src/firmware/archive/zip-writer.ts';
import { readVector, vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const layout = { blockOffset: 64, blockCount: 16, blockOffsetRedund: 96 };
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let publicKeys: Buffer[];
let privateKeyPath: string;
let count = 0;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  publicKeys = [await readPublicKey(join(vectors, 'keys', 'alpha.pub'))];
  privateKeyPath = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
  await chmod(privateKeyPath, 0o600);
});
afterAll(() => scratch[Symbol.asyncDispose]());

const newPath = (extension: string): string => join(scratch.path, `${++count}.${extension}`);

async function build(conf: string): Promise<string> {
  const configPath = newPath('conf');
  const outputPath = newPath('fw');
  await writeFile(configPath, conf);
  await buildBundle({ configPath, outputPath, privateKeyPath, compressionLevel: 1 });
  return outputPath;
}

async function apply(option: Omit<ApplyOption, 'publicKeys'>) {
  return applyBundle({ publicKeys, ...option });
}

const v1 = join(vectors, 'ab-uboot-redundant', 'v1.fw');
const v2 = join(vectors, 'ab-uboot-redundant', 'v2.fw');

async function deviceOnV1(): Promise<string> {
  const destinationPath = newPath('img');
  await apply({ path: v1, destinationPath, task: 'complete' });
  return destinationPath;
}

describe('a slot', () => {
  it('is flipped by the task whose requirements hold, and back', async () => {
    const destinationPath = await deviceOnV1();
    const first = await apply({ path: v2, destinationPath, task: 'upgrade' });
    expect(first).toMatchObject({ taskName: 'upgrade.b', uuid: 'c4fdd982-e737-5bdd-a446-016438174a14' });
    expect(first.bytesWritten).toBeGreaterThan(21_000);
    const environment = await readUbootEnvironment(destinationPath, layout);
    expect(Object.fromEntries(environment)).toMatchObject({ active: 'b', 'b.version': '2.0.0', 'a.version': '1.0.0' });
    expect(await apply({ path: v1, destinationPath, task: 'upgrade' })).toMatchObject({ taskName: 'upgrade.a' });
    expect((await readUbootEnvironment(destinationPath, layout)).get('active')).toBe('a');
  });

  it('is not flipped by a bundle that turns out damaged while it is written', async () => {
    const destinationPath = await deviceOnV1();
    const path = join(vectors, 'ab-uboot-redundant', 'v2-damaged.fw');
    await expect(apply({ path, destinationPath, task: 'upgrade' })).rejects.toMatchObject({
      code: 'firmware-resource-damaged',
    });
    const environment = await readUbootEnvironment(destinationPath, layout);
    expect(Object.fromEntries(environment)).toMatchObject({ active: 'a', failed: 'b' }); // on-error has run
  });

  it('is not flipped when the apply is aborted', async () => {
    const destinationPath = await deviceOnV1();
    const abort = new AbortController();
    const onInfo = () => abort.abort();
    const run = apply({ path: v2, destinationPath, task: 'upgrade', signal: abort.signal, onInfo });
    await expect(run).rejects.toMatchObject({ code: 'firmware-aborted', fault: 'failed' });
    expect((await readUbootEnvironment(destinationPath, layout)).get('active')).toBe('a');
  });

  it('is not touched by a wrong key, an unknown task or a missing requirement', async () => {
    const destinationPath = await deviceOnV1();
    const before = await readFile(destinationPath);
    const stranger = await readPublicKey(join(vectors, 'keys', 'bravo.pub'));
    const wrong = applyBundle({ path: v2, destinationPath, task: 'upgrade', publicKeys: [stranger] });
    await expect(wrong).rejects.toMatchObject({ code: 'firmware-wrong-key' });
    await expect(apply({ path: v2, destinationPath, task: 'nothing' })).rejects.toMatchObject({
      code: 'firmware-no-task',
    });
    await expect(apply({ path: v2, destinationPath, task: 'upgrade.a' })).rejects.toMatchObject({
      code: 'firmware-no-task',
      fault: 'refused',
    });
    expect((await readFile(destinationPath)).equals(before)).toBe(true);
  });
});

describe('a stream', () => {
  it('may come in pieces of any size', async () => {
    const bytes = await readFile(v1);
    const expected = readVector('ab-uboot-redundant', 'image.3.gz');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
        const destinationPath = newPath('img');
        async function* pieces() {
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = sizes[turn % sizes.length]!;
            yield bytes.subarray(at, (at += size));
          }
        }
        await apply({ stream: pieces(), destinationPath, task: 'complete' });
        expect((await readFile(destinationPath)).equals(expected)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  it('that breaks off leaves the slot as it was', async () => {
    const destinationPath = await deviceOnV1();
    async function* half() {
      yield (await readFile(v2)).subarray(0, 9000);
    }
    const run = apply({ stream: half(), destinationPath, task: 'upgrade' });
    await expect(run).rejects.toMatchObject({ code: 'firmware-resource-damaged' });
    expect((await readUbootEnvironment(destinationPath, layout)).get('active')).toBe('a');
  });
});

describe('a destination', () => {
  it('too small is refused before a byte is written', async () => {
    const destinationPath = newPath('img');
    const run = apply({ path: v1, destinationPath, task: 'complete', destinationSizeBytes: 100_000 });
    await expect(run).rejects.toMatchObject({ code: 'firmware-disk-too-small', detail: { seen: '100000 bytes' } });
    expect(existsSync(destinationPath)).toBe(false);
  });

  it('that is a folder, missing below /dev or a character device is refused', async () => {
    const folder = newPath('dir');
    await mkdir(folder);
    for (const destinationPath of [folder, '/dev/flotilla-no-such-disk', '/dev/null']) {
      await expect(apply({ path: v1, destinationPath, task: 'complete' })).rejects.toMatchObject({
        code: 'firmware-destination-unusable',
      });
    }
  });

  it('that is read-only is refused, for root too', async () => {
    const destinationPath = newPath('img');
    await writeFile(destinationPath, '', { mode: 0o444 });
    const run = apply({ path: v1, destinationPath, task: 'complete' });
    await expect(run).rejects.toMatchObject({ code: 'firmware-destination-unusable' });
  });

  it('may be a link to an image', async () => {
    const image = newPath('img');
    const destinationPath = newPath('lnk');
    await writeFile(image, '');
    await symlink(image, destinationPath);
    await apply({ path: v1, destinationPath, task: 'complete' });
    expect((await readFile(image)).equals(readVector('ab-uboot-redundant', 'image.3.gz'))).toBe(true);
  });
});

describe('what is refused before a byte is written', () => {
  async function signed(metaConf: Buffer): Promise<string> {
    const chunks: Uint8Array[] = [];
    const out = new ZipWriter(async (bytes) => void chunks.push(bytes));
    await addSignedHead(out, metaConf, await readPrivateKey(privateKeyPath), 0);
    await out.finish();
    const path = newPath('fw');
    await writeFile(path, Buffer.concat(chunks));
    return path;
  }

  it.each([
    ['an action of a newer fwup', '2,new_action,x', 'firmware-unsupported'],
    ['an action that reaches beyond the destination', '2,execute,true', 'firmware-unsafe'],
  ])('%s', async (_what, funlist, code) => {
    const onInit = 'on-init {\nfunlist={4,raw_memset,0,1,1}\n}';
    const text = `task "complete" {\n${onInit}\non-finish {\nfunlist={${funlist}}\n}\n}\n`;
    const path = await signed(Buffer.from(text));
    const destinationPath = newPath('img');
    const run = applyBundle({ path, destinationPath, task: 'complete', publicKeys, engine: 'builtin' });
    await expect(run).rejects.toMatchObject({ code, fault: 'refused' });
    expect(existsSync(destinationPath)).toBe(false);
  });
});

describe('a large resource', () => {
  it('with a partial segment at both ends lands where it should, among what was there', async () => {
    const size = 3 * 1024 * 1024 + 700;
    const data = Buffer.alloc(size, Buffer.from([...Array(251).keys()]));
    const dataPath = newPath('bin');
    await writeFile(dataPath, data);
    const path = await build(`file-resource d { host-path = "${dataPath}" } task t { on-resource d { raw_write(3) } }`);
    const destinationPath = newPath('img');
    await writeFile(destinationPath, Buffer.alloc(5 * 1024 * 1024 + 1, 0xee));
    const { bytesWritten } = await apply({ path, destinationPath, task: 't' });
    const expected = Buffer.alloc(5 * 1024 * 1024 + 1, 0xee);
    data.copy(expected, 3 * 512);
    const end = 3 * 512 + size;
    expected.fill(0, end, Math.ceil(end / 512) * 512);
    expect((await readFile(destinationPath)).equals(expected)).toBe(true);
    expect(bytesWritten).toBe(Math.ceil(size / 512) * 512);
  });

  it('cannot be written twice by one on-resource', async () => {
    const run = build('file-resource d { contents = "x" } task t { on-resource d { raw_write(0) raw_write(1) } }');
    const path = await run;
    const applied = apply({ path, destinationPath: newPath('img'), task: 't' });
    await expect(applied).rejects.toMatchObject({ message: expect.stringContaining('once only') });
  });

  it('makes memory a matter of the cache, not of its size', async () => {
    const bundle = await build(
      'task small { on-init { raw_memset(0, 65536, 0x5a) } } task large { on-init { raw_memset(0, 524288, 0x5a) } }',
    );
    const peakBytes = async (task: string): Promise<number> => {
      const script = join(import.meta.dirname, '..', '..', 'support', 'apply-process.ts');
      const key = join(vectors, 'keys', 'alpha.pub');
      const { stdout } = await execa(process.execPath, [script, bundle, key, newPath('img'), task]);
      return (JSON.parse(stdout) as { peakBytes: number }).peakBytes;
    };
    const [small, large] = [await peakBytes('small'), await peakBytes('large')]; // 32 MiB, 256 MiB
    expect(large - small).toBeLessThan(64 * 1024 * 1024);
  });
});
