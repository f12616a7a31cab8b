import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateVectors } from '../../bench/wire/generate.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { brokerMessages } from '../../bench/wire/batch-body.ts';
import { defaultVectorDirectory, loadEventSet, meterSchema } from '../../bench/wire/event-set.ts';
import { reportBatches, reportIdle } from '../../bench/wire/report.ts';
import { judge } from '../../bench/wire/target.ts';

describe('the bench of the wire', () => {
  it('takes the fingerprints that the Avro project publishes', () => {
    expect(avroFingerprint('"int"').toString(16)).toBe('7275d51a3f395c8f');
    expect(avroFingerprint('"null"').toString(16)).toBe('63dd24e7cc258f8a');
  });

  it('gives peers the same data: structs of 60 bytes, and 60 bytes in all of 42 random ones', async () => {
    const readings = await loadEventSet(defaultVectorDirectory, 'c1');
    expect(readings).toHaveLength(300);
    expect(readings.every(({ packed }) => packed.length === 60)).toBe(true);
    expect(readings[0]!.packed.readBigUInt64LE(0)).toBe(0x0012_4b00_14d0_0000n);
    expect(readings[0]!.packed.readFloatLE(16)).toBeCloseTo(231.8, 4);
    expect(readings[0]!.row.schema).not.toBe(0n);
    const random = await loadEventSet(defaultVectorDirectory, 'b', 42);
    expect(random.every(({ row, packed }) => row.payload.length === 42 && packed.length === 58)).toBe(true);
  });

  it('writes a message for each event, or all rows in one', async () => {
    const events = (await loadEventSet(defaultVectorDirectory, 'b')).slice(0, 100);
    const each = brokerMessages('each', events, 1);
    expect(each).toHaveLength(100);
    expect(each[0]).toMatchObject({ topic: ['blob', events[0]!.key], body: { length: 73 } });
    expect(brokerMessages('rows', events, 1)).toMatchObject([{ topic: ['blob'], body: { length: 5 + 100 * 76 } }]);
  });

  it('makes other sets of the same shape from a seed, and the same from the same', async () => {
    await using scratch = await temporaryDirectory();
    const [one, two, other] = ['one', 'two', 'other'].map((name) => join(scratch.path, name)) as [
      string,
      string,
      string,
    ];
    await generateVectors(one, 7);
    await generateVectors(two, 7);
    await generateVectors(other, 8);
    expect(await meterSchema(one)).toEqual(await meterSchema(defaultVectorDirectory));
    for (const set of ['b', 'c1', 'c2', 'c3', 'c1-jitter', 'c1-offgrid']) {
      const [given, made] = [await loadEventSet(defaultVectorDirectory, set), await loadEventSet(one, set)];
      expect(made.map(({ type, key }) => [type, key])).toEqual(given.map(({ type, key }) => [type, key]));
      expect(made.map(({ packed }) => packed.length)).toEqual(given.map(({ packed }) => packed.length));
      expect(made).toEqual(await loadEventSet(two, set));
      expect(made).not.toEqual(await loadEventSet(other, set));
    }
  });

  it('prints both ways of packing, and judges the default one', () => {
    const bytes = (cold: number, warm: number) => ({ cold: { deviceBytes: cold }, warm: { deviceBytes: warm } });
    const ways = { range: bytes(740, 600), pack: bytes(730, 650) };
    expect(reportBatches('c1', 'cold', new Map([['flotilla' as const, ways]]))).toMatchObject({
      flotillaBytes: 740,
      flotillaWarmBytes: 600,
      ways: { flotilla: ways },
    });
  });

  it('says why an idle hour of a contender is not a number', () => {
    const idle = { countedPings: 3, pingIpBytes: 202, keepaliveMs: 240_000, hourIpBytes: 3_030 };
    const report = reportIdle(
      'idle',
      new Map([
        ['flotilla' as const, idle],
        ['http' as const, undefined],
      ]),
    );
    expect(report).toMatchObject({ flotillaIpBytes: 3_030, httpIpBytes: null, pings: { flotilla: idle } });
    expect(Object.keys(report['notMeasured'] as object)).toEqual(['http']);
  });

  it('judges c1 by its first batch and against the cheapest way of the cheapest peer', () => {
    const bytes = (cold: number, warm: number) => ({ cold: { deviceBytes: cold }, warm: { deviceBytes: warm } });
    const report = reportBatches(
      'c1',
      'cold',
      new Map([
        ['flotilla' as const, { link: bytes(740, 600) }],
        ['http' as const, { json: bytes(20_000, 20_000), jsonGzip: bytes(3_000, 3_000) }],
        ['websocket' as const, { json: bytes(20_000, 20_000), jsonDeflated: bytes(2_400, 2_900) }],
      ]),
    );
    expect(report).toMatchObject({ flotillaBytes: 740, bestPeer: 'websocket', bestPeerBytes: 2_400 });
    expect(judge({ c1: report }, { withPeers: true })).toEqual({
      c1: { limit: 750, unit: 'payloadBytes', measured: 740, met: true },
      c1OfBestPeer: { limit: 0.3, unit: 'ratio', measured: 0.308, met: false },
    });
    expect(Object.keys(judge({ c1: report }, { withPeers: false }))).toEqual(['c1']);
  });
});
