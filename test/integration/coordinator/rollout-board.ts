/** Bundles to roll out, and devices of a test that say what an honest agent says. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Release } from '../../../src/client/contract/index.ts';
import { buildBundle, writeKeyPair } from '../../../src/firmware/index.ts';
import type { Running } from '../../../src/protocol/event.ts';
import type { CoreBench, FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

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

export interface Board {
  id: string;
  device: FakeDevice;
  running: Running;
}

export async function board(core: CoreBench, id: string, instanceId = 0xa1n): Promise<Board> {
  const device = core.gateways.connect(await enroll(core.client, id), { instanceId });
  await device.admitted.promise;
  const running = { bootId: `${id}-1`, slot: 'a', bundleUuid: '00000000-0000-4000-8000-000000000001' };
  device.say('flotilla.boot', { running, agentVersion: '1' });
  await device.heard();
  return { id, device, running };
}

/** Does what an honest agent does, and says it. */
export async function update(
  { device, running, id }: Board,
  release: Release,
  ending: 'committed' | 'rolled-back',
): Promise<void> {
  const { seq, payload } = await device.request('update.offer');
  device.confirm(seq);
  expect(device.blobs).toContain(release.sha256);
  const { rolloutId } = payload;
  const tell = (state: string, over: object = {}) =>
    device.say(
      'flotilla.update',
      { rolloutId, bundleUuid: release.bundleUuid, state, attempt: 1, ...over },
      { key: rolloutId },
    );
  for (const state of ['offered', 'downloading', 'verified', 'installing', 'rebooting']) tell(state);
  const after = { bootId: `${id}-2`, slot: 'b', bundleUuid: release.bundleUuid };
  device.say('flotilla.boot', { running: after, agentVersion: '1' });
  tell('testing');
  tell(ending, { evidence: { before: running, after, health: [], downloadedBytes: release.sizeBytes } });
  await device.heard();
}
