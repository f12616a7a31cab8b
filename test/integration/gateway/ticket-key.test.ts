import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TicketKey } from '../../../src/coordinator/gateway/ticket-key.ts';
import { createLog } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { createBench, type Bench } from '../../support/link-bench.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const log = createLog({ name: 'test', level: 'silent' });

/** Cuts the device's connection until it came to each gateway by a resumed handshake; returns how often it did not. */
async function resumeOnAll(bench: Bench, gateways: number): Promise<number> {
  const from = bench.core.connects.length;
  const since = () => bench.core.connects.slice(from);
  const seen = (): Set<number> => new Set(since().flatMap(({ gateway, resumed }) => (resumed ? [gateway] : [])));
  while (seen().size < gateways) {
    const { connection } = bench.core.session('d1')!.connect;
    bench.pool.close(connection, 'superseded');
    await eventually('back', () => (bench.core.session('d1')?.connect.connection ?? connection) !== connection);
  }
  return since().filter(({ resumed }) => !resumed).length;
}

describe('the key of session tickets', () => {
  it('rotates on all gateways: one full handshake, then resumption again on each of them', async () => {
    await using bench = await createBench({ count: 3, limits: { ticketRotationMs: 3_000 } });
    const device = await bench.addDevice('d1');
    await eventually('live', () => device.link.status().state === 'live' && bench.core.session('d1') !== undefined);
    expect(bench.core.connects[0]!.resumed).toBe(false);
    await resumeOnAll(bench, 3);
    // Until a handshake is full again: the key has changed.
    const before = bench.core.connects.length;
    const isFull = (): boolean => bench.core.connects.slice(before).some(({ resumed }) => !resumed);
    await eventually('the key has changed', async () => {
      if (!isFull()) await resumeOnAll(bench, 1);
      return isFull();
    });
    const full = await resumeOnAll(bench, 3);
    // Another one at most where a gateway heard of the change a moment later, or of the next change.
    expect(full).toBeLessThanOrEqual(2);
  });

  it('is kept over a crash of everything, for its owner alone', async () => {
    await using bench = await createBench({ count: 2, keepTicketKey: true });
    const device = await bench.addDevice('d1');
    await eventually('live', () => device.link.status().state === 'live' && bench.core.session('d1') !== undefined);
    const file = join(bench.fleet.directory, 'ticket-key.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const kept = await readFile(file, 'utf8');
    await device.link.stop(); // a dial that fails half-way would cost it its ticket
    await bench.restartPool('kill');
    device.link.start();
    await eventually('back', () => bench.core.connects.length === 2);
    expect(bench.core.connects[1]!.resumed).toBe(true);
    expect(await readFile(file, 'utf8')).toBe(kept);
    expect(await resumeOnAll(bench, 2)).toBe(0);
  });

  it('is not used when it is old, from the future, exposed or broken', async () => {
    await using scratch = await temporaryDirectory();
    const file = join(scratch.path, 'key');
    let nowMs = 1_000_000;
    const openKey = (): Promise<TicketKey> => TicketKey.open({ file, rotationMs: 10_000, log, nowMs: () => nowMs });
    const hex = async (): Promise<string> => (await openKey()).bytes.toString('hex');
    const first = await hex();
    nowMs += 9_999;
    expect(await hex()).toBe(first);
    expect((await openKey()).rotateInMs).toBe(1);
    nowMs += 1;
    const second = await hex();
    expect(second).not.toBe(first);
    nowMs -= 5_000;
    const third = await hex();
    expect(third).not.toBe(second);
    await chmod(file, 0o640);
    const fourth = await hex();
    expect(fourth).not.toBe(third);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, '{"madeAtMs":1');
    expect(await hex()).not.toBe(fourth);
    const key = await openKey();
    await key.rotate();
    expect(await hex()).toBe(key.bytes.toString('hex'));
  });

  it('goes without a file when the disk does not take one', async () => {
    const key = await TicketKey.open({ file: '/proc/none/key', rotationMs: 10_000, log, nowMs: () => 1 });
    expect(key.bytes).toHaveLength(48);
  });
});
