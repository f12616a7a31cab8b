import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyBundle, buildBundle, inspectBundle, readPublicKey, signBundle, verifyBundle } from '../../../src/firmware/index.ts'; // prettier-ignore
import { findFwup } from '../../../src/firmware/fwup-process.ts';
import { installAsFwup } from '../../support/flotilla-fwup.ts';
import { golden, readVector, vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** The engine `fwup` runs whatever PATH calls fwup: here the drop-in, as it would be installed. */
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let publicKeys: Buffer[];
let privateKeyPath: string;
const pathBefore = process.env['PATH'];

beforeAll(async () => {
  scratch = await temporaryDirectory();
  await mkdir(join(scratch.path, 'bin'));
  process.env['PATH'] = await installAsFwup(join(scratch.path, 'bin'));
  process.env['XDG_CACHE_HOME'] = join(scratch.path, 'cache');
  publicKeys = [await readPublicKey(join(vectors, 'keys', 'alpha.pub'))];
  privateKeyPath = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
  await chmod(privateKeyPath, 0o600);
});
afterAll(async () => {
  process.env['PATH'] = pathBefore;
  await scratch[Symbol.asyncDispose]();
});

const engine = 'fwup' as const;
const destination = (name: string): string => join(scratch.path, name);

describe('the engine fwup', () => {
  it('finds the program under the name of fwup', async () => {
    expect(await findFwup()).toBe(join(scratch.path, 'bin', 'fwup'));
  });

  it('builds, signs, inspects and verifies as builtin does', async () => {
    const option = {
      configPath: join(vectors, 'signed', 'fwup.conf'),
      privateKeyPath,
      sourceDateEpochSeconds: golden.epoch,
    };
    const built = await buildBundle({ ...option, outputPath: destination('by-fwup.fw'), engine });
    const builtin = await buildBundle({ ...option, outputPath: destination('by-us.fw'), engine: 'builtin' });
    expect(built).toEqual(builtin);
    const path = destination('by-fwup.fw');
    expect((await verifyBundle({ path, publicKeys, engine })).uuid).toBe(built.uuid);
    expect((await inspectBundle(path, { engine })).uuid).toBe(built.uuid);
    const signed = await signBundle({ inputPath: path, outputPath: path, privateKeyPath, engine });
    expect(signed.uuid).toBe(built.uuid);
    await verifyBundle({ path, publicKeys, engine: 'builtin' });
  });

  it('applies, with progress and the texts of info', async () => {
    const percents: number[] = [];
    const texts: string[] = [];
    const destinationPath = destination('disk.img');
    const path = join(vectors, 'ab-uboot', 'v1.fw');
    await applyBundle({ path, destinationPath, task: 'complete', publicKeys, engine });
    expect(await readFile(destinationPath)).toEqual(readVector('ab-uboot', 'image.3.gz'));
    const result = await applyBundle({
      path: join(vectors, 'ab-uboot', 'v2.fw'),
      destinationPath,
      task: 'upgrade',
      publicKeys,
      engine,
      onProgress: (percent) => percents.push(percent),
      onInfo: (text) => texts.push(text),
    });
    expect(result.uuid).toBe((await inspectBundle(join(vectors, 'ab-uboot', 'v2.fw'))).uuid);
    expect([percents.at(0), percents.at(-1), texts]).toEqual([0, 100, ['upgrading b']]);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  });

  it('tells what fwup says when it refuses, and where a configuration is wrong', async () => {
    const stranger = [await readPublicKey(join(vectors, 'keys', 'bravo.pub'))];
    const path = join(vectors, 'ab-uboot', 'v1.fw');
    const destinationPath = destination('refused.img');
    const refused = applyBundle({ path, destinationPath, task: 'complete', publicKeys: stranger, engine });
    await expect(refused).rejects.toMatchObject({
      code: 'fwup-failed',
      message: "Firmware archive's meta.conf fails digital signature verification.",
    });
    const configPath = destination('bad.conf');
    await writeFile(configPath, 'meta-product = "x"\nbogus = 1\n');
    const wrong = buildBundle({ configPath, outputPath: destination('bad.fw'), engine });
    await expect(wrong).rejects.toMatchObject({ code: 'firmware-config', detail: { position: { line: 2 } } });
  });

  it('never goes on without a key, though the program would', async () => {
    const path = join(vectors, 'unsigned', 'bundle.fw');
    const none = applyBundle({
      path,
      destinationPath: destination('none.img'),
      task: 'complete',
      publicKeys: [],
      engine,
    });
    await expect(none).rejects.toMatchObject({ code: 'firmware-no-key' });
    await expect(verifyBundle({ path, publicKeys: [], engine })).rejects.toMatchObject({ code: 'firmware-no-key' });
  });
});
