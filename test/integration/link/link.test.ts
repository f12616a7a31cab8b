import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../../src/protocol/lane.ts';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { canonicalForm } from '../../../src/protocol/canonical-form.ts';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { createBench, LedgerCore, textRow, type Bench, type BenchDevice } from '../../support/link-bench.ts';
import { eventually } from '../../support/eventually.ts';

const numbers = (count: number, from = 1): string[] => Array.from({ length: count }, (_, n) => String(from + n));

/** A grant and then a request, as an offer does it: when the request is there, so is the grant. */
async function grant(bench: Bench, connection: number, device: BenchDevice, sha256: string): Promise<void> {
  bench.pool.grantBlob(connection, sha256);
  bench.core.request('d1', textRow('offer'));
  await eventually('the offer has come', () => device.log.unsettled().length === 1, { everyMs: 1 });
}

describe('a link and a gateway', () => {
  it('carry events of every lane to the core, in order and once', async () => {
    await using bench = await createBench();
    const device = await bench.addDevice('d1');
    for (const n of numbers(50)) for (const lane of [0, 1, 2, 3] as const) device.append(lane, n);
    await eventually('all are acknowledged', () => device.log.ackedSeq().every((seq) => seq === 50));
    for (const lane of [0, 1, 2, 3] as const) expect(bench.core.payloads('d1', lane)).toEqual(numbers(50));
    expect(bench.core.duplicates).toBe(0);
    expect(bench.core.connects[0]).toMatchObject({
      identity: { deviceId: 'd1', fleetId: 'bench' },
      agentVersion: '1.0.0',
      resumed: false,
      nextSeq: expect.any(Array),
    });
    expect(Math.abs(device.link.coordinatorNowMs()! - Date.now())).toBeLessThan(2_000);
  });

  it('carry requests to the device, which has them on disk before it says so', async () => {
    await using bench = await createBench();
    bench.core.request('d1', textRow('one'));
    const device = await bench.addDevice('d1');
    await eventually('the first is acknowledged', () => bench.core.ackedRequests.length === 1);
    bench.core.request('d1', textRow('two', { type: 'job.start', key: 'k' }));
    await eventually('the second is acknowledged', () => bench.core.ackedRequests.at(-1)?.upToSeq === 2);
    const unsettled = device.log.unsettled();
    expect(unsettled.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['one', 'two']);
    expect(unsettled[1]).toMatchObject({ type: 'job.start', key: 'k', lane: 0, seq: 2, coordinatorInstanceId: 77n });
    expect(device.requested()).toBeGreaterThan(0);
    device.log.settle(unsettled[0]!);
    expect(device.log.unsettled()).toHaveLength(1);
  });

  it('fetch parts of a granted blob, larger than one want, at any offset, and nothing else', async () => {
    await using bench = await createBench();
    const blob = randomBytes(3_000_000);
    const sha256 = createHash('sha256').update(blob).digest('hex');
    await writeFile(join(bench.fleet.blobDirectory, sha256), blob);
    const device = await bench.addDevice('d1');
    const session = await eventually('the device is there', () => bench.core.session('d1'));
    await eventually('live', () => device.link.status().state === 'live');
    await expect(device.link.fetch({ sha256, offset: 0, length: 10 })).rejects.toMatchObject({ code: 'blob-refused' });
    await grant(bench, session.connect.connection, device, sha256);
    const parts = await Promise.all([
      device.link.fetch({ sha256, offset: 0, length: 1_048_576 }),
      ...numbers(6).map((n) => device.link.fetch({ sha256, offset: Number(n) * 1_000, length: 262_144 })),
    ]);
    expect(Buffer.from(parts[0]).equals(blob.subarray(0, 1_048_576))).toBe(true);
    parts.slice(1).forEach((part, n) => {
      const from = (n + 1) * 1_000;
      expect(Buffer.from(part).equals(blob.subarray(from, from + 262_144))).toBe(true);
    });
    await expect(device.link.fetch({ sha256, offset: 2_999_999, length: 2 })).rejects.toMatchObject({
      code: 'blob-refused',
      message: expect.stringContaining('out-of-range'),
    });
    await expect(device.link.fetch({ sha256: sha256.slice(1), offset: 0, length: 2 })).rejects.toMatchObject({
      code: 'fetch-range',
    });
    const aborter = new AbortController();
    const aborted = device.link.fetch({ sha256, offset: 0, length: 1_000_000 }, aborter.signal);
    aborter.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'fetch-aborted' });
    const after = await device.link.fetch({ sha256, offset: 5, length: 5 });
    expect(Buffer.from(after).equals(blob.subarray(5, 10))).toBe(true);
  });

  it('move 32 MiB with at most 1.5 % more on the wire, while an urgent event goes past it', async () => {
    await using bench = await createBench();
    const blob = randomBytes(32 * 1024 * 1024);
    const sha256 = createHash('sha256').update(blob).digest('hex');
    await writeFile(join(bench.fleet.blobDirectory, sha256), blob);
    const device = await bench.addDevice('d1');
    const session = await eventually('the device is there', () => bench.core.session('d1'));
    await grant(bench, session.connect.connection, device, sha256);
    const hash = createHash('sha256');
    for (let offset = 0; offset < blob.length; offset += 262_144) {
      const part = device.link.fetch({ sha256, offset, length: 262_144 });
      if (offset === 4 * 262_144) {
        device.append(0, 'urgent');
        await eventually('urgent', () => bench.core.payloads('d1', 0).length === 1, { everyMs: 1 });
      }
      hash.update(await part);
    }
    expect(hash.digest('hex')).toBe(sha256);
    await device.link.stop();
    const { receivedBytes, sentBytes } = await eventually('disconnected', () => bench.core.disconnects[0]);
    expect((receivedBytes + sentBytes) / blob.length).toBeLessThan(1.015);
  });

  it('carry 60 random bytes and their acknowledgement in at most 112 bytes of TCP payload', async () => {
    await using bench = await createBench();
    const cost = async (id: string, events: number): Promise<number> => {
      const device = await bench.addDevice(id);
      await eventually('live', () => device.link.status().state === 'live');
      for (let n = 1; n <= events; n += 1) {
        const timestampMs = 1_700_000_000_000 + n * 900_000;
        device.log.append(3, textRow('', { key: 'meter', timestampMs, payload: randomBytes(60) }));
        device.link.wake();
        const rows = bench.core.rows(bench.core.session(id)!.connect, 3);
        await eventually('acknowledged', () => rows.length === n && device.log.ackedSeq()[3] === n, { everyMs: 1 });
      }
      const { connection } = bench.core.session(id)!.connect;
      await device.link.stop();
      const gone = await eventually('gone', () => bench.core.disconnects.find((one) => one.connection === connection));
      return gone.receivedBytes + gone.sentBytes;
    };
    // On a busy machine two things may leave in two records instead of one: the least is what it takes.
    const few = Math.min(await cost('few', 2), await cost('few-again', 2));
    const many = Math.min(await cost('many', 10), await cost('many-again', 10));
    expect((many - few) / 8).toBeLessThanOrEqual(112);
  });

  it('lose nothing and repeat nothing when gateways are killed and the core restarts', async () => {
    await using bench = await createBench({ count: 2, limits: { retrySpreadMs: 50 } });
    const devices = await Promise.all(['a', 'b', 'c'].map((id) => bench.addDevice(id)));
    let sent = 0;
    const burst = (): void => {
      const next = numbers(200, sent + 1);
      sent += next.length;
      for (const { log, link } of devices) {
        log.transact(() => next.forEach((text) => log.append(3, textRow(text))));
        link.wake();
      }
    };
    for (const how of ['none', 'gateway', 'kill', 'stop'] as const) {
      burst();
      for (const id of ['a', 'b', 'c']) bench.core.request(id, textRow(how));
      await eventually('some are stored', () => bench.core.payloads('a', 3).length > 0);
      if (how === 'gateway') process.kill(bench.pool.pids[0]!, 'SIGKILL');
      else if (how !== 'none') await bench.restartPool(how);
      burst();
    }
    await eventually('all are acknowledged', () => devices.every(({ log }) => log.ackedSeq()[3] === sent));
    for (const id of ['a', 'b', 'c']) expect(bench.core.payloads(id, 3)).toEqual(numbers(sent));
    await eventually('all requests are there', () => devices.every(({ log }) => log.unsettled().length === 4));
    for (const { log } of devices) {
      expect(log.unsettled().map(({ payload }) => Buffer.from(payload).toString())).toEqual([
        'none',
        'gateway',
        'kill',
        'stop',
      ]);
    }
    expect(bench.core.disconnects.some(({ reason }) => reason === 'gateway ended')).toBe(true);
    expect(bench.pool.pids).toHaveLength(2);
  });

  it('resume the TLS session on any gateway, and by its tickets cost far less', async () => {
    await using bench = await createBench({ count: 3 });
    const device = await bench.addDevice('d1');
    for (let n = 0; n < 6; n += 1) {
      const connect = await eventually('connected', () => bench.core.connects[n]);
      await eventually('live', () => device.link.status().state === 'live');
      device.append(0, String(n));
      await eventually('acknowledged', () => device.log.ackedSeq()[0] === n + 1); // the tickets have come
      bench.pool.close(connect.connection, 'superseded');
      await eventually('gone', () => bench.core.disconnects[n]);
    }
    expect(bench.core.connects.slice(0, 6).map(({ resumed }) => resumed)).toEqual([
      false,
      true,
      true,
      true,
      true,
      true,
    ]);
    const bytes = bench.core.disconnects.map(({ receivedBytes, sentBytes }) => receivedBytes + sentBytes);
    expect(bytes[0]).toBeLessThan(4_200);
    for (const resumed of bytes.slice(1, 6)) expect(resumed).toBeLessThan(1_800);
    expect(bench.core.connects.map(({ connection }) => connection)).toEqual(bench.core.connects.map((_, n) => n + 1));
  });

  it('wait as long as a refusal asks for', async () => {
    const core = new LedgerCore();
    core.refusal = { code: 'quarantined', retryAfterMs: 60_000, detail: 'ask the operator' };
    await using bench = await createBench({ core });
    const device = await bench.addDevice('d1');
    const status = await eventually('refused', () => {
      const now = device.link.status();
      return now.state === 'refused' && now;
    });
    expect(status.reason).toBe('quarantined: ask the operator');
    expect(status.retryAtMs! - Date.now()).toBeGreaterThan(50_000);
    expect(device.link.coordinatorNowMs()).toBeUndefined();
    await expect(device.link.fetch({ sha256: 'a'.repeat(64), offset: 0, length: 1 })).rejects.toMatchObject({
      code: 'link-lost',
    });
    expect(await bench.refused()).toEqual(['quarantined']);
  });

  it('go on as a new instance when the log was rolled back, and lose nothing that was appended since', async () => {
    await using bench = await createBench();
    const path = join(bench.fleet.directory, 'rolled.sqlite');
    const first = await bench.addDevice('d1', { databasePath: path });
    for (const n of numbers(3)) first.append(2, n);
    await eventually('acknowledged', () => first.log.ackedSeq()[2] === 3);
    await first.link.stop();
    const before = first.log.instanceId;
    // What a restored backup looks like: as if the last two had never been written.
    first.database.exec(`
      UPDATE outbox_cursor SET next_seq = 2, acked_seq = 1, sent_seq = 1 WHERE lane = 2;
      DELETE FROM outbox WHERE seq > 1`);
    first.database.close();
    const second = await bench.addDevice('d1', { databasePath: path });
    // More than were lost, so that no number of HELLO looks strange.
    for (const text of ['after', 'and', 'more']) second.log.append(2, textRow(text));
    await eventually('stored', () => bench.core.payloads('d1', 2).includes('more'));
    expect(second.log.instanceId).not.toBe(before);
    expect(bench.core.session('d1')!.connect.instanceId).toBe(second.log.instanceId);
    // What was acknowledged in that past is not told again, and a gap says whose it was.
    expect(bench.core.payloads('d1', 2)).toEqual(['1', '2', '3', 'after', 'and', 'more']);
    expect(bench.core.gaps).toEqual([{ device: 'd1', lane: 2, upToSeq: 1, reason: 'new-instance' }]);
  });

  it('have no more on their way than the credit that the core grants, and more again when it grants it', async () => {
    await using bench = await createBench();
    bench.core.acknowledging = false;
    const device = await bench.addDevice('d1');
    await eventually('live', () => bench.core.session('d1') !== undefined);
    const { connection } = bench.core.session('d1')!.connect;
    let requests = 0;
    /** What was said to the device before has arrived, and what it has sent since then as well. */
    const roundTrip = async (): Promise<void> => {
      requests += 1;
      bench.core.request('d1', textRow(`request ${requests}`));
      await eventually('the request is there', () =>
        bench.core.ackedRequests.some(({ upToSeq }) => upToSeq === requests),
      );
    };
    bench.pool.credit(connection, 1_000);
    await roundTrip();
    device.log.transact(() => {
      for (let n = 0; n < 200; n += 1) device.log.append(3, textRow('x'.repeat(92)));
    });
    device.link.wake();
    const stored = (): number => bench.core.payloads('d1', 3).length;
    await eventually('ten rows of 92 bytes and 8 each have come', () => stored() === 10);
    await roundTrip();
    expect(stored()).toBe(10);
    bench.pool.credit(connection, Number.MAX_SAFE_INTEGER);
    // All that the window of the device has for a beginning.
    await eventually('more have come', () => stored() === 81);
    bench.core.acknowledging = true;
    bench.pool.acknowledge(connection, 3, stored());
    await eventually('all are stored', () => device.log.ackedSeq()[3] === 200);
  });

  it('tell a schema that the gateway does not know, when it asks for it, and lose nothing by that', async () => {
    const avro: avsc.Schema = { type: 'record', name: 'Reading', fields: [{ name: 'volts', type: 'double' }] };
    const type = avsc.Type.forSchema(avro);
    const schema = avroFingerprint(canonicalForm(avro));
    const row = (n: number): Row =>
      textRow('', { schema, timestampMs: n, payload: type.toBuffer({ volts: 230 + n / 10 }) });
    const schemas = new Map([[schema, readSchema(JSON.stringify(avro))]]);
    await using bench = await createBench();
    const device = await bench.addDevice('d1', { link: { schemas } });
    const send = async (from: number, to: number): Promise<void> => {
      device.log.transact(() => {
        for (let n = from; n < to; n += 1) device.log.append(3, row(n));
      });
      device.link.wake();
      await eventually('stored', () => device.log.ackedSeq()[3] === to);
    };
    await send(0, 20);
    expect(device.link.nacks()['need-schema']).toBe(1);
    await device.link.stop();
    device.link.start();
    await send(20, 40);
    await send(40, 41);
    expect(device.link.nacks()['need-schema']).toBe(1);
    const stored = bench.core.rows(bench.core.session('d1')!.connect, 3);
    expect(stored.map((one) => Buffer.from(one.row.payload).toString('hex'))).toEqual(
      Array.from({ length: 41 }, (_, n) => Buffer.from(row(n).payload).toString('hex')),
    );
    expect(bench.core.duplicates).toBe(0);
  });

  it('store every event once over reconnects, whether the gateway has kept their state or not', async () => {
    await using bench = await createBench();
    const device = await bench.addDevice('d1');
    let sent = 0;
    const send = async (count: number): Promise<void> => {
      device.log.transact(() => {
        for (let n = 0; n < count; n += 1) {
          sent += 1;
          device.log.append(3, textRow(`event ${sent}`, { key: `k${sent % 3}`, timestampMs: sent * 1_000 }));
        }
      });
      device.link.wake();
      await eventually('stored', () => device.log.ackedSeq()[3] === sent);
    };
    await send(5);
    for (const between of [async () => {}, async () => {}, () => bench.restartPool('kill'), async () => {}]) {
      await device.link.stop();
      await between();
      device.link.start();
      await send(1);
      await send(7);
    }
    expect(bench.core.payloads('d1', 3)).toEqual(Array.from({ length: sent }, (_, n) => `event ${n + 1}`));
    expect(bench.core.duplicates).toBe(0);
  });

  it('finds a peer that went silent and starts over', async () => {
    await using bench = await createBench();
    const device = await bench.addDevice('d1', { link: { keepaliveMs: 300, answerTimeoutMs: 300 } });
    await eventually('live', () => device.link.status().state === 'live');
    const [pid] = bench.pool.pids;
    process.kill(pid!, 'SIGSTOP'); // the socket stays open, nothing answers
    try {
      await eventually('noticed', () => device.link.status().state !== 'live');
    } finally {
      process.kill(pid!, 'SIGCONT');
    }
    await eventually('live again', () => device.link.status().state === 'live');
  });
});
