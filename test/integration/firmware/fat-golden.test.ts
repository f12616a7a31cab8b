import { createHash } from 'node:crypto';
import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyBundle, buildBundle, readPublicKey, signBundle } from '../../../src/firmware/index.ts';
import { readFatTree } from '../../support/fat-reader.ts';
import { flagOf, goldenCase, readVector, vectors, type GoldenStep } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** FAT file systems, byte for byte as the real fwup 1.16.0 left them. */
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let privateKeyPath: string;
let publicKey: Buffer;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  privateKeyPath = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
  await chmod(privateKeyPath, 0o600);
  publicKey = await readPublicKey(join(vectors, 'keys', 'alpha.pub'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function apply(name: string, step: GoldenStep, destinationPath: string) {
  const path = join(scratch.path, `${name}-${flagOf(step, '-i')!}`);
  await signBundle({ inputPath: join(vectors, name, flagOf(step, '-i')!), outputPath: path, privateKeyPath });
  return applyBundle({ path, destinationPath, task: flagOf(step, '-t')!, publicKeys: [publicKey], engine: 'builtin' });
}

describe.each(['fat12', 'fat16', 'fat32'])('%s', (name) => {
  it('is made, changed and refused as fwup does', async () => {
    const destinationPath = join(scratch.path, `${name}.img`);
    for (const step of goldenCase(name).steps.filter(({ cmd }) => cmd.includes('-a'))) {
      if (step.image_before === 'none') await rm(destinationPath, { force: true });
      const run = apply(name, step, destinationPath);
      if (step.exit !== 0) {
        await expect(run).rejects.toThrow(step.stdout!.replace('fwup: ', '').trimEnd());
        continue;
      }
      await run;
      const image = await readFile(destinationPath);
      expect({ step: step.step, size: image.length, sha256: sha256(image) }).toEqual({
        step: step.step,
        size: step.image!.size,
        sha256: step.image!.sha256,
      });
      const seen = [...readFatTree(image, 63 * 512).files].map(([path, file]) => [
        file.isDirectory ? `${path}/` : path,
        file.isDirectory ? null : sha256(file.content),
      ]);
      expect(Object.fromEntries(seen)).toEqual(step.fat_listing);
    }
  });
});

describe('a delta of a file on FAT', () => {
  it('gives the image that fwup makes', async () => {
    const destinationPath = join(scratch.path, 'delta-fat.img');
    for (const step of goldenCase('delta-fat').steps.filter(({ cmd }) => cmd.includes('-a'))) {
      await apply('delta-fat', step, destinationPath);
      expect({ step: step.step, sha256: sha256(await readFile(destinationPath)) }).toEqual({
        step: step.step,
        sha256: step.image!.sha256,
      });
    }
    const { files } = readFatTree(await readFile(destinationPath), 64 * 512);
    expect(files.get('/kernel.b')!.content.equals(readVector('delta-fat', 'k2.bin'))).toBe(true);
  });

  it('is refused, with the file as it was, when its source is missing or is what it would write', async () => {
    const destinationPath = join(scratch.path, 'delta-fat-refused.img');
    await apply('delta-fat', goldenCase('delta-fat').steps.find(({ cmd }) => cmd.includes('-a'))!, destinationPath); // prettier-ignore
    for (const [from, to, text] of [
      ['kernel.b', 'kernel.a', "Can't open file on FAT partition(kernel.a): FATFS: The operation is rejected"],
      ['"kernel.a"', '"other.a"', "fat_pread can't open file(other.a): FATFS: Could not find the file"],
    ] as const) {
      const configPath = join(scratch.path, 'v2.conf');
      const config = readVector('delta-fat', 'v2.conf').toString().replaceAll('"k2.bin"', `"${join(vectors, 'delta-fat', 'k2.bin')}"`); // prettier-ignore
      const at = config.indexOf('task upgrade');
      await writeFile(configPath, config.slice(0, at) + config.slice(at).replace(from, to));
      const path = join(scratch.path, 'changed.fw');
      await buildBundle({ configPath, outputPath: path, privateKeyPath });
      // The full data out, the patch in: what a maker of deltas does.
      await execa('python3', ['-c', swapMember, path, join(vectors, 'delta-fat', 'patch.vcdiff')]);
      const before = await readFile(destinationPath);
      const run = applyBundle({ path, destinationPath, task: 'upgrade', publicKeys: [publicKey], engine: 'builtin' });
      await expect(run).rejects.toThrow(text);
      expect((await readFile(destinationPath)).equals(before)).toBe(true);
    }
  });
});

const swapMember = `import zipfile,sys
z=zipfile.ZipFile(sys.argv[1]); parts=[(i.filename,z.read(i)) for i in z.infolist()]; z.close()
out=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)
for name,data in parts: out.writestr(name, open(sys.argv[2],'rb').read() if name=='data/kernel' else data)
out.close()`;
