/** Devices that say what an honest agent says in an update, and a genuine bundle for them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

export async function publishRelease(core: CoreBench, directory: string, version: string): Promise<Release> {
  await mkdir(core.keyDirectory, { recursive: true });
  const { privateKeyPath } = await writeKeyPair(join(core.keyDirectory, `key-${version}`));
  const rootfs = join(directory, `rootfs-${version}`);
  const configPath = join(directory, 'fwup.conf');
  const outputPath = join(directory, `${version}.fw`);
  await writeFile(rootfs, Buffer.alloc(4096, version));
  await writeFile(configPath, configuration);
  await buildBundle({ configPath, outputPath, variables: { VERSION: version, ROOTFS: rootfs }, privateKeyPath });
  return core.client.publish(outputPath, { channel: 'stable' });
}

export interface Board {
  id: string;
  device: FakeDevice;
  running: Running;
}

export const firstUuid = '00000000-0000-4000-8000-000000000001';

/** @param instanceId another one after a restart of the coordinator: this device does not remember what it has sent */
export async function connectBoard(
  core: CoreBench,
  id: string,
  { running, instanceId = 0xa1n }: { running?: Running; instanceId?: bigint } = {},
): Promise<Board> {
  const device = core.gateways.connect(await enroll(core.client, id), { instanceId });
  await device.admitted.promise;
  const runs = running ?? { bootId: `${id}-1`, slot: 'a', bundleUuid: firstUuid };
  device.say('flotilla.boot', { running: runs, agentVersion: '1' });
  await device.heard();
  return { id, device, running: runs };
}

/** The offer, taken; returns what tells the coordinator of each state. */
export async function takeOffer({ device }: Board) {
  const { seq, payload } = await device.request('update.offer');
  device.confirm(seq);
  const { rolloutId, bundle } = payload as { rolloutId: string; bundle: { bundleUuid: string } };
  return (state: string, over: object = {}): void =>
    device.say(
      'flotilla.update',
      { rolloutId, bundleUuid: bundle.bundleUuid, state, attempt: 1, ...over },
      { key: rolloutId },
    );
}

export async function updateBoard(board: Board, release: Release, ending: 'committed' | 'rolled-back'): Promise<void> {
  const { device, running, id } = board;
  const tell = await takeOffer(board);
  for (const state of ['offered', 'downloading', 'verified', 'installing', 'rebooting']) tell(state);
  const isGood = ending === 'committed';
  const after = isGood
    ? { bootId: `${id}-2`, slot: 'b', bundleUuid: release.bundleUuid }
    : { ...running, bootId: `${id}-3` };
  device.say('flotilla.boot', { running: after, agentVersion: '1' });
  tell('testing');
  const health = [{ name: 'http', ok: isGood, durationMs: 3 }];
  const reason = isGood ? {} : { reason: { code: 'health-failed', message: 'http answered 500' } };
  const evidence = { before: running, after, health, downloadedBytes: release.sizeBytes };
  tell(ending, { evidence, ...reason });
  await device.heard();
}
