/** Devices of a test that say what an honest agent says. */
import { expect } from 'vitest';
import type { Release } from '../../../src/client/contract/index.ts';
import type { Running } from '../../../src/protocol/event.ts';
import type { CoreBench, FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

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
