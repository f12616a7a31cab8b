import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBootTime } from '../../../src/agent/machine/boot-time.ts';
import { ensureAgentSchema } from '../../../src/agent/state/agent-schema.ts';
import { Updater } from '../../../src/agent/updater/updater.ts';
import { createDeviceLog, openDeviceDatabase } from '../../../src/eventlog/index.ts';
import { writeKeyPair } from '../../../src/firmware/index.ts';
import { createLog } from '../../../src/log.ts';
import { buildSlotBundle, fileLink, fileSlotDevice, hastyClock } from '../../support/file-slot-device.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { updaterSurrounding } from '../../support/updater-surrounding.ts';
import { offerOf } from '../../support/updating-device.ts';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: { publicKeyPath: string; privateKeyPath: string };

beforeAll(async () => {
  dir = await temporaryDirectory();
  key = await writeKeyPair(join(dir.path, 'key'));
});
afterAll(() => dir[Symbol.asyncDispose]());

async function update(
  name: string,
  isLive: (slot: string) => boolean = () => true,
  noCoordinator: 'revert' | 'keep' = 'revert',
) {
  const device = await fileSlotDevice(join(dir.path, name), key.publicKeyPath);
  device.policy.health.noCoordinator = noCoordinator;
  const { path, image } = await buildSlotBundle(dir.path, '2.0.0', key);
  const database = openDeviceDatabase(join(device.directory, 'agent.db'));
  ensureAgentSchema(database);
  const updater = new Updater({
    ...device,
    ...updaterSurrounding({
      database,
      directory: device.directory,
      machine: createBootTime(join(dir.path, name, 'boot_id')),
    }),
    database,
    log: createDeviceLog(database),
    link: fileLink(path, () => isLive(readFileSync(join(dir.path, name, 'slot'), 'utf8').trim())),
    clock: hastyClock,
    logger: createLog({ name: 'agent', level: 'silent' }),
  });
  await updater.start();
  await updater.offer(await offerOf(path, 'r1'), () => undefined);
  await updater.idle();
  const last = updater.last!;
  await updater.stop();
  database.close();
  return { device, image, last, path };
}

describe('a new slot that does not reach the coordinator', () => {
  it('is kept where the owner said so, and the record tells that nobody was reached', async () => {
    const { device, last } = await update('kept', (slot) => slot === 'a', 'keep');
    expect(last).toMatchObject({ state: 'committed', coordinatorReached: false, after: { slot: 'b' } });
    expect(await device.slots.read()).toMatchObject({ active: 'b', pending: false });
  });
});

describe('an update where the boot loader reads a file', () => {
  it('writes the other slot by its own task, switches over, and is proven', async () => {
    const { device, image, last } = await update('good');
    expect(last).toMatchObject({
      state: 'committed',
      slotDigestMatches: true,
      coordinatorReached: true,
      before: { slot: 'a', version: '1.0.0' },
      after: { slot: 'b', version: '2.0.0', bundleUuid: last.bundle.bundleUuid },
    });
    expect((await device.slot('b')).equals(image)).toBe(true);
    expect(await device.slots.read()).toMatchObject({ active: 'b', pending: false });
    expect((await device.slot('a')).every((byte) => byte === 0)).toBe(true);
  });

  it('goes back to the old slot when the coordinator is not reached', async () => {
    const { device, last } = await update('away', (slot) => slot === 'a');
    expect(last).toMatchObject({ state: 'rolled-back', reason: { code: 'not-connected' }, after: { slot: 'a' } });
    expect(await readFile(join(device.directory, '..', 'slots'), 'utf8')).toMatch(/^active_slot=a$/m);
  });
});
