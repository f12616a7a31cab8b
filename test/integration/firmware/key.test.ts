import { chmod, cp, readFile, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signerOf, signMetaConf } from '../../../src/firmware/archive/key.ts';
import { generateKeyPair, readPrivateKey, readPublicKey, writeKeyPair } from '../../../src/firmware/index.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

const keyFile = (name: string): string => join(vectors, 'keys', name);

async function secret(name: string, text?: Buffer | string): Promise<string> {
  const path = join(scratch.path, name);
  if (text === undefined) await cp(keyFile(name), path);
  else await writeFile(path, text);
  await chmod(path, 0o600);
  return path;
}

describe('key pairs', () => {
  it('are 44 and 88 characters of base64, and belong together', () => {
    const { publicKey, privateKey } = generateKeyPair();
    expect([publicKey.length, privateKey.length]).toEqual([44, 88]);
    const text = Buffer.from('meta-product=x\n');
    const signature = signMetaConf(text, Buffer.from(privateKey, 'base64'));
    const stranger = Buffer.from(generateKeyPair().publicKey, 'base64');
    expect(signerOf(text, signature, [stranger, Buffer.from(publicKey, 'base64')])).toBe(1);
    expect(signerOf(Buffer.from('meta-product=y\n'), signature, [stranger, Buffer.from(publicKey, 'base64')])).toBe(-1);
  });

  it('are written for their owner only and never over anything', async () => {
    const { publicKeyPath, privateKeyPath } = await writeKeyPair(join(scratch.path, 'new'));
    for (const path of [publicKeyPath, privateKeyPath]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    const before = await readFile(privateKeyPath, 'utf8');
    await expect(writeKeyPair(join(scratch.path, 'new'))).rejects.toMatchObject({
      code: 'firmware-key-exists',
      fault: 'refused',
    });
    expect(await readFile(privateKeyPath, 'utf8')).toBe(before);
  });

  it('leave no private key behind when the public one cannot be written', async () => {
    await writeFile(join(scratch.path, 'half.pub'), 'mine');
    await expect(writeKeyPair(join(scratch.path, 'half'))).rejects.toMatchObject({ code: 'firmware-key-exists' });
    expect(existsSync(join(scratch.path, 'half.priv'))).toBe(false);
  });
});

describe('key files', () => {
  it.each(['alpha-raw.pub', 'alpha-newline.pub', 'alpha-nopad.pub'])(
    '%s is the same key as alpha.pub',
    async (name) => {
      expect(await readPublicKey(keyFile(name))).toEqual(await readPublicKey(keyFile('alpha.pub')));
    },
  );

  it.each(['alpha-leading-space.pub', 'short.pub'])('%s is refused, as by fwup', async (name) => {
    await expect(readPublicKey(keyFile(name))).rejects.toMatchObject({ code: 'firmware-key-invalid' });
  });

  it('a raw private key is the same as its base64', async () => {
    expect(await readPrivateKey(await secret('alpha-raw.priv'))).toEqual(
      await readPrivateKey(await secret('alpha.priv')),
    );
  });

  it.each([0o640, 0o604, 0o644, 0o666])('a private key of mode %o is refused with what to do', async (mode) => {
    const path = await secret('alpha.priv');
    await chmod(path, mode);
    await expect(readPrivateKey(path)).rejects.toMatchObject({
      code: 'firmware-key-exposed',
      fault: 'refused',
      detail: { suggestion: `chmod 600 ${path}` },
    });
  });

  it('a private key with the public half of another is refused', async () => {
    const alpha = await readPrivateKey(await secret('alpha.priv'));
    const bravo = await readPrivateKey(await secret('bravo.priv'));
    const path = await secret('mixed.priv', Buffer.concat([alpha.subarray(0, 32), bravo.subarray(32)]));
    await expect(readPrivateKey(path)).rejects.toMatchObject({ code: 'firmware-key-invalid' });
  });

  it('a missing one is named', async () => {
    const path = join(scratch.path, 'nowhere.pub');
    await expect(readPublicKey(path)).rejects.toMatchObject({
      code: 'firmware-key-unreadable',
      message: expect.stringContaining(path),
    });
  });
});
