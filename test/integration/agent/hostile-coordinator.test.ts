/**
 * A coordinator that was taken over offers what it should not, and gives other parts than it has promised: each is
 * refused by the agent itself, the reason is told, nothing is written to a slot, and the link goes on.
 */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLink } from '../../../src/agent/link/link.ts';
import { readUbootEnvironment, signBundle, writeKeyPair } from '../../../src/firmware/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import type { BundleOffer } from '../../../src/protocol/request.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';
import {
  hostileCoordinator,
  honestly,
  chunkBytes,
  type HostileCoordinator,
} from '../../support/hostile-coordinator.ts';
import { createCertifiedFleet, type Fleet } from '../../support/link-bench.ts';
import { updaterBench } from '../../support/updater-bench.ts';
import { offerOf } from '../../support/updating-device.ts';

const layout = { blockOffset: 1024, blockCount: 16, blockOffsetRedund: 1280 };

let fleet: Fleet;
let device: Awaited<ReturnType<Fleet['device']>>;
beforeAll(async () => {
  fleet = await createCertifiedFleet();
  device = await fleet.device('d-1');
});
afterAll(() => fleet[Symbol.asyncDispose]());

type Bench = Awaited<ReturnType<typeof updaterBench>>;

interface Victim extends AsyncDisposable {
  parts: AgentParts;
  hostile: HostileCoordinator;
  bench: Bench;
  bytes: Buffer;
  /** Until the device has told its last word of it. */
  ending(change?: Partial<BundleOffer>, path?: string): Promise<UpdateEvent>;
}

/** The bench of an updater, on a real link to a hostile coordinator. */
async function victim(option: { publicKeys?: Buffer[] } = {}): Promise<Victim> {
  const stack = new AsyncDisposableStack();
  const parts = stack.use(await agentParts());
  const hostile = stack.use(await hostileCoordinator(fleet));
  const real = createLink({
    endpoint: { host: '127.0.0.1', port: hostile.port, serverName: fleet.serverName },
    identity: device,
    log: parts.log,
    agentVersion: '1.0.0',
    clock: parts.clock,
    logger: parts.logger,
    onRequest: () => undefined,
    backoff: { firstMinMs: 1, firstMaxMs: 20, maxMs: 100 },
  });
  const { link } = parts;
  link.status = () => real.status();
  link.onChange = (listener) => real.onChange(listener);
  link.wake = () => real.wake();
  link.coordinatorNowMs = () => real.coordinatorNowMs();
  const bench = await updaterBench(parts, option);
  link.fetch = (blob, signal) => real.fetch(blob, signal);
  real.start();
  stack.defer(async () => {
    await bench.updater.stop();
    await real.stop();
  });
  await eventually('the link is live', () => real.status().state === 'live', { everyMs: 2 });
  const disk = join(parts.dir, 'disk.img');
  const before = await readFile(disk);
  const told = () =>
    hostile.rows
      .filter(({ type }) => type === 'flotilla.update')
      .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as UpdateEvent)
      .findLast(({ state }) => ['rejected', 'failed', 'committed', 'cancelled'].includes(state));
  return {
    parts,
    hostile,
    bench,
    bytes: await readFile(bench.bundle),
    async ending(change = {}, path = bench.bundle) {
      await bench.updater.offer(await offerOf(path, 'r1', change), () => undefined);
      const last = await eventually('the coordinator was told how it ended', told, { everyMs: 5, timeoutMs: 20_000 });
      expect((await readFile(disk)).equals(before)).toBe(true);
      await expect(stat(join(parts.dir, 'download.fw'))).rejects.toThrow('ENOENT');
      await eventually('the link is live', () => real.status().state === 'live', { everyMs: 2 });
      return last;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe('a hostile coordinator', () => {
  it('that gives one part in place of every other', async () => {
    await using on = await victim();
    on.hostile.answer = honestly(({ length }) => on.bytes.subarray(0, length));
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['failed', 'part-corrupt']);
    expect(on.hostile.sessions).toBe(1);
  });

  it('that gives the parts of another bundle', async () => {
    await using on = await victim();
    const other = randomBytes(on.bytes.length);
    on.hostile.answer = honestly(({ offset, length }) => other.subarray(offset, offset + length));
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['failed', 'part-corrupt']);
    expect(reason!.message).toMatch(/part \d was asked for 3 times: bytes of another hash came/);
    expect(on.hostile.sessions).toBe(1);
  });

  it('that gives more of a part than was asked for', async () => {
    await using on = await victim();
    on.hostile.answer = honestly(({ offset, length }) =>
      Buffer.concat([on.bytes.subarray(offset, offset + length), Buffer.alloc(1)]),
    );
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['failed', 'part-corrupt']);
    expect(reason!.message).toMatch(/1 bytes more (came|than wanted)/);
  });

  it('that never ends a part', async () => {
    await using on = await victim();
    let sent = 0;
    const chunk = Buffer.alloc(chunkBytes);
    const open = new Set<number>();
    on.hostile.more = (session) => {
      for (const id of open) {
        for (let n = 0; n < 64; n++) session.feed(id, chunk);
        sent += 64 * chunkBytes;
      }
    };
    on.hostile.answer = ({ id }, session) => {
      open.add(id);
      on.hostile.more(session);
    };
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['failed', 'part-corrupt']);
    expect(reason!.message).toMatch(/bytes more (came|than wanted)/);
    expect(sent).toBeLessThan(64 << 20);
  });

  it('that gives what nobody asked for', async () => {
    await using on = await victim();
    on.hostile.answer = ({ id }, session) => session.feed(id + 1_000, Buffer.alloc(10));
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['failed', 'part-corrupt']);
    expect(reason!.message).toMatch(/was never asked for/);
  });

  it('that gives other bytes for a delta is asked for the whole bundle', async () => {
    await using on = await victim();
    const offer = await offerOf(on.bench.bundle, 'r1');
    const environment = await readUbootEnvironment(join(on.parts.dir, 'disk.img'), layout);
    const { sizeBytes, partBytes, partSha256 } = offer.bundle;
    const delta = { fromUuid: environment.get('a.uuid')!, sizeBytes, partBytes, partSha256, sha256: 'd'.repeat(64) };
    on.hostile.answer = honestly(({ offset, length, sha256 }) =>
      Buffer.from(sha256).toString('hex') === delta.sha256
        ? randomBytes(length)
        : on.bytes.subarray(offset, offset + length),
    );
    await on.bench.updater.offer({ ...offer, delta }, () => undefined);
    const verified = await eventually('the whole bundle is here', () =>
      on.bench.events().find(({ state }) => state === 'verified'),
    );
    expect(verified.evidence).toMatchObject({ deltaFailed: expect.stringContaining('bytes of another hash came') });
    expect(verified.evidence!.deltaFrom).toBeUndefined();
  });

  it('that offers a bundle for another product or platform, or another bundle than it names', async () => {
    for (const [change, code] of [
      [{ product: 'toaster' }, 'wrong-product'],
      [{ platform: 'other' }, 'wrong-platform'],
      [{ bundleUuid: '00000000-0000-0000-0000-000000000000' }, 'bundle-not-offered'],
      [{ partSha256: [] }, 'offer-malformed'],
    ] as const) {
      await using on = await victim();
      on.hostile.answer = honestly(({ offset, length }) => on.bytes.subarray(offset, offset + length));
      const { state, reason } = await on.ending({ ...change } as Partial<BundleOffer>);
      expect([state, reason?.code]).toEqual(['rejected', code]);
    }
  });

  it('that offers what another key has signed', async () => {
    await using on = await victim();
    const stranger = await writeKeyPair(join(on.parts.dir, 'stranger'));
    const foreign = join(on.parts.dir, 'foreign.fw');
    await signBundle({ inputPath: on.bench.bundle, outputPath: foreign, privateKeyPath: stranger.privateKeyPath });
    const bytes = await readFile(foreign);
    on.hostile.answer = honestly(({ offset, length }) => bytes.subarray(offset, offset + length));
    const { state, reason } = await on.ending({}, foreign);
    expect([state, reason?.code]).toEqual(['rejected', 'bundle-untrusted']);
    expect(reason!.message).toMatch(/key/);
  });

  it('is refused everything by a device without a key', async () => {
    await using on = await victim({ publicKeys: [] });
    on.hostile.answer = honestly(({ offset, length }) => on.bytes.subarray(offset, offset + length));
    const { state, reason } = await on.ending();
    expect([state, reason?.code]).toEqual(['rejected', 'bundle-untrusted']);
    expect(reason!.message).toMatch(/key/);
  });
});
