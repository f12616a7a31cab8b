import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBootTime } from '../../../src/agent/machine/boot-time.ts';
import { ensureAgentSchema } from '../../../src/agent/state/agent-schema.ts';
import { receiptBodyOf } from '../../../src/agent/updater/receipt.ts';
import { Updater } from '../../../src/agent/updater/updater.ts';
import type { FlotillaError } from '../../../src/error.ts';
import { createDeviceLog, openDeviceDatabase, parseJsonRow } from '../../../src/eventlog/index.ts';
import { writeKeyPair } from '../../../src/firmware/index.ts';
import { createLog } from '../../../src/log.ts';
import { signUpdateReceipt, verifyUpdateReceipt } from '../../../src/pki/update-receipt.ts';
import { buildSlotBundle, fileLink, fileSlotDevice, hastyClock } from '../../support/file-slot-device.ts';
import { issueSigner, type Signer } from '../../support/sign-receipt.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { updaterSurrounding } from '../../support/updater-surrounding.ts';
import { offerOf } from '../../support/updating-device.ts';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: { publicKeyPath: string; privateKeyPath: string };

beforeAll(async () => {
  dir = await temporaryDirectory();
  key = await writeKeyPair(join(dir.path, 'key'));
  signer = await issueSigner('d-1');
});
afterAll(() => dir[Symbol.asyncDispose]());

const subject = { fleetId: 'harbour', deviceId: 'd-1', agentVersion: '0.1.0' };
let signer: Signer;

type Run = (updater: Updater, path: string) => Promise<unknown>;
const byOffer: Run = async (updater, path) => updater.offer(await offerOf(path, 'r1'), () => undefined);
const byFile: Run = (updater, path) => updater.install(path);

async function update(
  name: string,
  isLive: (slot: string) => boolean = () => true,
  noCoordinator: 'revert' | 'keep' = 'revert',
  run: Run = byOffer,
) {
  const device = await fileSlotDevice(join(dir.path, name), key.publicKeyPath);
  device.policy.health.noCoordinator = noCoordinator;
  const { path, image } = await buildSlotBundle(dir.path, '2.0.0', key);
  const database = openDeviceDatabase(join(device.directory, 'agent.db'));
  ensureAgentSchema(database);
  const log = createDeviceLog(database);
  const updater = new Updater({
    ...device,
    ...updaterSurrounding({
      database,
      directory: device.directory,
      machine: createBootTime(join(dir.path, name, 'boot_id')),
    }),
    database,
    log,
    link: fileLink(path, () => isLive(readFileSync(join(dir.path, name, 'slot'), 'utf8').trim())),
    clock: hastyClock,
    logger: createLog({ name: 'agent', level: 'silent' }),
    receipt: (ended, nowMs) => signUpdateReceipt(receiptBodyOf(ended, subject, nowMs), signer.key, signer.certificate),
  });
  await updater.start();
  const problem = await run(updater, path).then(
    () => undefined,
    (error: unknown) => error as FlotillaError,
  );
  await updater.idle();
  const last = updater.last!;
  const receipts = updater.receipts();
  await updater.stop();
  const events = log.read(0, 0, 10_000, 1 << 30).rows.map((row) => ({ type: row.type, value: parseJsonRow(row) }));
  database.close();
  return { device, image, last, path, receipts, events, problem };
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

describe('a bundle out of a file', () => {
  it('is installed without a link, proven by all else, and receipted once', async () => {
    const { device, image, last, receipts, events } = await update('stick', () => false, 'revert', byFile);
    expect(last).toMatchObject({
      rolloutId: expect.stringMatching(/^f-[0-9a-f]{10}$/),
      state: 'committed',
      slotDigestMatches: true,
      coordinatorReached: false,
      after: { slot: 'b', version: '2.0.0' },
    });
    expect((await device.slot('b')).equals(image)).toBe(true);
    expect(receipts).toHaveLength(1);
    verifyUpdateReceipt(receipts[0]!);
    expect(JSON.parse(receipts[0]!.body)).toMatchObject({
      ...subject,
      bundle: { uuid: last.bundle.bundleUuid, version: '2.0.0' },
      event: { state: 'committed', source: 'file', evidence: { after: { slot: 'b' } } },
    });
    const sent = events.filter(({ type }) => type === 'flotilla.receipt');
    expect(sent.map(({ value }) => value)).toEqual([{ id: last.rolloutId, receipt: receipts[0] }]);
  });

  it('rolls back where the device had a link before and has none after', async () => {
    const { last, receipts, problem } = await update(
      'cut',
      (slot) => slot === 'a',
      'revert',
      async (updater, path) => {
        await updater.install(path);
        await updater.idle();
        await updater.install(path);
      },
    );
    expect(problem).toMatchObject({ code: 'bundle-quarantined' });
    expect(last).toMatchObject({ state: 'rolled-back', reason: { code: 'not-connected' }, after: { slot: 'a' } });
    expect(JSON.parse(receipts[0]!.body)).toMatchObject({ event: { state: 'rolled-back' } });
  });

  it.each([
    ['unsigned', async () => (await buildSlotBundle(dir.path, '3.0.0', {})).path],
    [
      'signed by another key',
      async () => {
        const other = await writeKeyPair(join(dir.path, `other-${Date.now()}`));
        return (await buildSlotBundle(dir.path, '3.0.1', other)).path;
      },
    ],
  ] as [string, () => Promise<string>][])('is refused, with a receipt of that: %s', async (what, make) => {
    const path = await make();
    const run: Run = (updater) => updater.install(path);
    const { device, last, receipts } = await update(what.replaceAll(' ', '-'), () => false, 'revert', run);
    expect(last).toMatchObject({ state: 'rejected', reason: { code: 'bundle-untrusted' } });
    expect(receipts).toHaveLength(1);
    expect((await device.slot('b')).every((byte) => byte === 0)).toBe(true);
  });

  it('is refused at once when it is none, is for another board, or runs already', async () => {
    const missing = await update(
      'missing',
      () => false,
      'revert',
      (updater) => updater.install('/nonexistent.fw'),
    );
    expect(missing.problem).toMatchObject({ code: 'update-file-unreadable' });
    expect(missing.last).toBeUndefined();
    const folder = await update(
      'folder',
      () => false,
      'revert',
      (updater) => updater.install(dir.path),
    );
    expect(folder.problem).toMatchObject({ code: 'update-file-unreadable' });
    const none = await update(
      'none',
      () => false,
      'revert',
      (updater) => updater.install(key.publicKeyPath),
    );
    expect(none.problem).toMatchObject({ code: 'firmware-malformed' });
    const foreign = (await buildSlotBundle(dir.path, '4.0.0', { ...key, product: 'toaster' })).path;
    const other = await update(
      'foreign',
      () => false,
      'revert',
      (updater) => updater.install(foreign),
    );
    expect(other.problem).toMatchObject({ code: 'wrong-product' });
    const twice = await update(
      'twice',
      () => false,
      'revert',
      async (updater, path) => {
        await updater.install(path);
        const busy = await updater.install(path).catch((error: unknown) => error);
        expect(busy).toMatchObject({ code: 'busy' });
        await updater.idle();
        await updater.install(path);
      },
    );
    expect(twice.problem).toMatchObject({ code: 'already-running' });
    expect(twice.last.state).toBe('committed');
  });
});
