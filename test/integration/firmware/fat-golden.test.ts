import { createHash } from 'node:crypto';
import { chmod, cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyBundle, readPublicKey, signBundle } from '../../../src/firmware/index.ts';
import { readFatTree } from '../../support/fat-reader.ts';
import { flagOf, goldenCase, vectors, type GoldenStep } from '../../support/fwup-vector.ts';
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
