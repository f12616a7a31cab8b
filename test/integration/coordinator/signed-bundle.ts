/** Genuine bundles for a coordinator of a test. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBundle, writeKeyPair } from '../../../src/firmware/index.ts';
import type { CoreBench } from './core-bench.ts';

const configuration = `
meta-product = "meter"
meta-version = "\${VERSION}"
meta-platform = "board"
file-resource rootfs { host-path = "\${ROOTFS}" }
task complete { on-resource rootfs { raw_write(64) } }
`;

/** A genuine bundle of `bytes` of noise, signed with the key. */
export async function bundle(
  directory: string,
  version: string,
  privateKeyPath?: string,
  bytes = 300_000,
): Promise<string> {
  const rootfs = join(directory, `rootfs-${version}`);
  const configPath = join(directory, 'fwup.conf');
  const outputPath = join(directory, `${version}-${privateKeyPath === undefined ? 'unsigned' : 'signed'}.fw`);
  const noise = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 32) createHash('sha256').update(`${version} ${at}`).digest().copy(noise, at);
  await writeFile(rootfs, noise);
  await writeFile(configPath, configuration);
  const key = privateKeyPath === undefined ? {} : { privateKeyPath };
  await buildBundle({ configPath, outputPath, variables: { VERSION: version, ROOTFS: rootfs }, ...key });
  return outputPath;
}

export async function keys(core: CoreBench): Promise<string> {
  await mkdir(core.keyDirectory, { recursive: true });
  return (await writeKeyPair(join(core.keyDirectory, 'firmware'))).privateKeyPath;
}
