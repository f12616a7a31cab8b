import { createBLAKE2b, type IHasher } from 'hash-wasm';

/** BLAKE2b with a 32-byte digest and no key: the parameterised hash, not a truncated BLAKE2b-512. */
export async function createBlake2b256(): Promise<IHasher> {
  return (await createBLAKE2b(256)).init();
}

const uuidSpace = Buffer.from('2053dffbd51e4310b93b956da89f9f34', 'hex');

/** The UUID of a bundle: of its meta.conf bytes alone, so signing and compression do not change it. */
export async function bundleUuid(metaConf: Buffer): Promise<string> {
  const hash = await createBlake2b256();
  const digest = hash.update(uuidSpace).update(metaConf).digest('binary').slice(0, 16);
  digest[6] = (digest[6]! & 0x0f) | 0x50; // version 5; fwup leaves the variant bits alone
  return Buffer.from(digest)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
