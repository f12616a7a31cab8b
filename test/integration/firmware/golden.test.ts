import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileBundle } from '../../../src/firmware/archive/build.ts';
import { bundleUuid } from '../../../src/firmware/archive/blake2b.ts';
import {
  applyBundle,
  buildBundle,
  inspectBundle,
  readPublicKey,
  signBundle,
  verifyBundle,
} from '../../../src/firmware/index.ts';
import { flagOf, golden, goldenCase, readVector, vectors, type GoldenStep } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { withoutDirectory, withSignature } from './bundle-bytes.ts';

/** Everything here is compared with what the real fwup 1.16.0 made of the same input. */
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let alphaPrivate: string;
let alpha: Buffer;
let bravo: Buffer;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  alphaPrivate = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), alphaPrivate);
  await chmod(alphaPrivate, 0o600);
  alpha = await readPublicKey(join(vectors, 'keys', 'alpha.pub'));
  bravo = await readPublicKey(join(vectors, 'keys', 'bravo.pub'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

// prettier-ignore
const built = ['unsigned', 'signed', 'multi', 'config', 'ab-uboot', 'ab-uboot-redundant', 'mbr', 'protocol', 'unsafe', 'zip-shapes', 'fat12', 'fat16', 'fat32', 'delta-fat']
  .flatMap((name) => goldenCase(name).steps.filter(({ cmd, fw }) => cmd.includes('-c') && fw).map((step) => ({ name, step, file: step.fw!.file })));

describe.each(built)('$name/$file', ({ name, step }) => {
  const option = () => ({ configPath: join(vectors, name, flagOf(step, '-f')!), variables: step.env ?? {} });

  it('compiles to the meta.conf of fwup, byte for byte', async () => {
    const { metaConf } = await compileBundle(option());
    expect(metaConf.toString('latin1')).toBe(readVector(name, step.fw!.meta_conf).toString('latin1'));
    expect(await bundleUuid(metaConf)).toBe(step.fw!.uuid);
  });

  it('is built with the same members', async () => {
    const outputPath = join(scratch.path, `built-${name}-${step.fw!.file}`);
    const key = step.cmd.includes('-s') ? { privateKeyPath: alphaPrivate } : {};
    const build = buildBundle({
      ...option(),
      outputPath,
      sourceDateEpochSeconds: golden.epoch,
      engine: 'builtin',
      ...key,
    });
    expect(await build).toMatchObject({ uuid: step.fw!.uuid, creationDate: '2023-11-14T22:13:20Z' });
    const members = step.fw!.members.map((member) => [member.name, member.size, member.sha256]);
    expect(await unzip(outputPath)).toEqual(members);
    if (step.cmd.includes('-s')) await verifyBundle({ path: outputPath, publicKeys: [bravo, alpha] });
  });
});

/** The members as Python's zipfile, which goes by the central directory, sees them. */
async function unzip(path: string): Promise<[string, number, string][]> {
  const program = `import zipfile,hashlib,json,sys
z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None
print(json.dumps([[i.filename,i.file_size,hashlib.sha256(z.read(i)).hexdigest()] for i in z.infolist()]))`;
  const { stdout } = await execa('python3', ['-c', program, path]);
  return JSON.parse(stdout) as [string, number, string][];
}

describe('verify', () => {
  it.each(goldenCase('signed').steps.filter(({ cmd }) => cmd.includes('-V') && cmd.includes('-p')))('signed, step $step', async (step) => {
    const keys = step.cmd.flatMap((part, at) => (part === '-p' ? [join(vectors, 'signed', step.cmd[at + 1]!)] : []));
    const run = async () =>
      verifyBundle({
        path: join(vectors, 'signed', flagOf(step, '-i')!),
        publicKeys: await Promise.all(keys.map((path) => readPublicKey(path))),
      });
    if (step.exit === 0) expect((await run()).signed).toBe(true);
    else await expect(run()).rejects.toMatchObject({ fault: expect.stringMatching(/refused|usage/) });
  }); // prettier-ignore

  it('keeps the UUID when a bundle is signed again, with any key format', async () => {
    const outputPath = join(scratch.path, 'resigned.fw');
    const rawKey = join(scratch.path, 'alpha-raw.priv');
    await cp(join(vectors, 'keys', 'alpha-raw.priv'), rawKey);
    await chmod(rawKey, 0o600);
    for (const [input, uuid] of [
      ['signed/resigned.fw', 'a035ef17-348b-5165-04f7-3fc64180f01f'],
      ['unsigned/bundle.fw', 'e7470a76-52d3-50f5-70fa-373fd5fa4096'],
    ] as const) {
      await signBundle({ inputPath: join(vectors, input), outputPath, privateKeyPath: rawKey });
      expect((await verifyBundle({ path: outputPath, publicKeys: [alpha] })).uuid).toBe(uuid);
      await expect(verifyBundle({ path: outputPath, publicKeys: [bravo] })).rejects.toMatchObject({
        code: 'firmware-wrong-key',
      });
    }
  });

  it('signs a file in place', async () => {
    const path = join(scratch.path, 'in-place.fw');
    await cp(join(vectors, 'multi', 'multi.fw'), path);
    await signBundle({ inputPath: path, outputPath: path, privateKeyPath: alphaPrivate, sourceDateEpochSeconds: 1 });
    const summary = await verifyBundle({ path, publicKeys: [alpha] });
    expect(summary).toMatchObject({ creationDate: '1970-01-01T00:00:01Z', tasks: ['complete', 'noop'] });
    expect(summary.resources.map(({ name, lengthBytes }) => [name, lengthBytes])).toEqual([
      ['first', 1000],
      ['joined', 5333],
      ['empty.bin', 0],
      ['dir/text.txt', 4690],
      ['note', 11],
      ['/info.json', 13],
      ['unused', 17],
    ]);
  });
});

describe('archives of other shapes', () => {
  // Signed here as they are: a signature member in front, the central directory (which would disagree) cut off.
  const shapes = goldenCase('zip-shapes').steps.filter(({ cmd }) => cmd.includes('-V'));
  it.each(shapes)('step $step', async (step) => {
    const file = flagOf(step, '-i')!;
    const path = join(scratch.path, file);
    const original = withoutDirectory(readVector('zip-shapes', file));
    await writeFile(path, await withSignature(original, readVector('zip-shapes', 'base.fw.meta.conf'), alphaPrivate));
    if (step.exit === 0) {
      expect((await verifyBundle({ path, publicKeys: [alpha] })).uuid).toBe('73fd04c7-7e9e-55db-fe3c-b20ff262edbf');
    } else await expect(verifyBundle({ path, publicKeys: [alpha] })).rejects.toMatchObject({ fault: 'refused' });
    const apply = goldenCase('zip-shapes').steps.find(({ cmd }) => cmd.includes('-a') && cmd.includes(file))!;
    const destinationPath = join(scratch.path, 'shape.img');
    await rm(destinationPath, { force: true });
    const run = applyBundle({ path, destinationPath, task: 'complete', publicKeys: [alpha] });
    if (apply.exit === 0) {
      await run;
      expect(sha256(await readFile(destinationPath))).toBe(apply.image!.sha256);
    } else {
      await expect(run).rejects.toMatchObject({ fault: 'refused' });
      expect(existsSync(destinationPath)).toBe(false);
    }
  });
});

describe.each(['unsigned', 'signed', 'multi', 'ab-uboot', 'ab-uboot-redundant', 'mbr', 'sparse', 'protocol'])(
  'apply: %s',
  (name) => {
    const unsupported = (step: GoldenStep): boolean =>
      step.cmd.includes('unsafe') || step.cmd.includes('-F') || !flagOf(step, '-i')?.endsWith('.fw'); // or from stdin

    it('leaves the images of fwup, says its infos and its progress', async () => {
      const images = new Map<string, Buffer>();
      const destinationPath = join(scratch.path, `${name}.img`);
      for (const step of goldenCase(name).steps.filter((candidate) => candidate.image && !unsupported(candidate))) {
        await prepare(destinationPath, step, images);
        const seen = await run(name, step, destinationPath);
        const image = existsSync(destinationPath) ? await readFile(destinationPath) : Buffer.alloc(0);
        images.set(step.image!.label, image);
        expect({ step: step.step, image: sha256(image), failed: seen.failed }).toEqual({
          step: step.step,
          image: step.image!.sha256,
          failed: step.exit !== 0,
        });
        // Pieces of one resource may be reported otherwise than by libarchive's buffers.
        if (step.cmd.includes('-n') && name === 'multi') expect(seen.lines).toEqual(step.stdout!.trim().split('\n'));
      }
    });

    async function prepare(path: string, step: GoldenStep, images: ReadonlyMap<string, Buffer>): Promise<void> {
      if (step.image_before === undefined) return;
      await rm(path, { force: true });
      if (step.image_before === 'none') return;
      await writeFile(
        path,
        step.image_before === 'ones' ? Buffer.alloc(524_288, 0xff) : images.get(step.image_before)!,
      );
    }

    async function run(folder: string, step: GoldenStep, destinationPath: string) {
      let path = join(vectors, folder, flagOf(step, '-i')!);
      const isSigned = (await inspectBundle(path)).signed;
      if (!isSigned) {
        const signed = join(scratch.path, 'signed-here.fw');
        await signBundle({ inputPath: path, outputPath: signed, privateKeyPath: alphaPrivate });
        path = signed;
      }
      const lines: string[] = [];
      const maxBlocks = flagOf(step, '--max-size');
      const key = step.cmd.includes('../keys/bravo.pub') ? bravo : alpha;
      const failed = await applyBundle({
      path,
      destinationPath,
      task: flagOf(step, '-t')!,
      publicKeys: [key],
      onInfo: (text) => lines.push(`fwup: ${text}`),
      onProgress: (percent) => lines.push(String(percent)),
      ...(maxBlocks === undefined ? {} : { destinationSizeBytes: Number(maxBlocks) * 512 }),
    }).then(() => false, () => true); // prettier-ignore
      return { failed, lines };
    }
  },
);
