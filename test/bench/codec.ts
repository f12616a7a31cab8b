/**
 * How small and how fast the column codec is: one JSON document on stdout, progress on stderr, exit code 1 when a
 * target is missed. Speed is in events a second of this process's CPU time, so that a busy machine counts less.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { BatchDecoder } from '../../src/protocol/columns/batch-decoder.ts';
import { BatchEncoder, BatchWorkspace, type Packing } from '../../src/protocol/columns/batch-encoder.ts';
import { EventDecoder } from '../../src/protocol/columns/event-decoder.ts';
import { EventEncoder } from '../../src/protocol/columns/event-encoder.ts';
import { LinkState } from '../../src/protocol/columns/link-state.ts';
import type { Row } from '../../src/protocol/lane.ts';
import {
  batches,
  eventSets,
  meterColumns,
  meterFingerprint,
  readEventSet,
  readStructSet,
} from '../support/wire-vector.ts';

const packings: Packing[] = ['pack', 'range'];
const warmUpSeconds = 1;
const measuredSeconds = 3;

/** Bytes of batch bodies of 100 events; mean bytes of single events after the first hundred; events a second. */
const mostBytes: Record<string, { cold?: number; warm?: number; singleMean?: number }> = {
  b: { cold: 6_100, warm: 6_100 },
  c1: { cold: 705, warm: 640, singleMean: 7.6 },
  'c1-offgrid': { cold: 2_680, warm: 2_680 },
  c2: { warm: 850 },
  c3: { warm: 850 },
  'c1-opaque': { cold: 2_330, warm: 2_330 },
};
const mostRangeWarmC1 = 577;
const leastPerSecond = { encode: 150_000, decode: 200_000 };

const columns = meterColumns();
const newState = (): LinkState =>
  new LinkState((fingerprint) => (fingerprint === meterFingerprint ? columns : undefined));

const missed: string[] = [];

function expectAtMost(what: string, seen: number, most: number | undefined): void {
  if (most !== undefined && seen > most) missed.push(`${what} ${seen}, expected at most ${most}`);
}

function expectSame(what: string, a: readonly Row[], b: readonly Row[]): void {
  const same = a.every((row, i) => {
    const other = b[i];
    return (
      other !== undefined &&
      row.type === other.type &&
      row.key === other.key &&
      row.schema === other.schema &&
      row.timestampMs === other.timestampMs &&
      Buffer.compare(row.payload, other.payload) === 0
    );
  });
  if (!same || a.length !== b.length) missed.push(`${what} does not come back as it was`);
}

function measureBytes(name: string, rows: readonly Row[]): object {
  const result: Record<string, number> = {};
  for (const packing of packings) {
    const encoder = new BatchEncoder(newState(), packing);
    const decoder = new BatchDecoder(newState());
    const sizes = batches(rows).map((batch) => {
      const body = encoder.encode(3, batch);
      expectSame(`${name} (${packing})`, batch, decoder.decode(body).rows);
      return body.length;
    });
    const [cold = 0, ...warm] = sizes;
    const warmest = Math.max(...warm);
    result[`${packing}ColdBytes`] = cold;
    result[`${packing}WarmBytes`] = warmest;
    expectAtMost(`${name} ${packing} cold bytes`, cold, mostBytes[name]?.cold);
    expectAtMost(`${name} ${packing} warm bytes`, warmest, mostBytes[name]?.warm);
    if (name === 'c1' && packing === 'range') expectAtMost('c1 range warm bytes', warmest, mostRangeWarmC1);
  }
  const encoder = new EventEncoder(newState());
  const decoder = new EventDecoder(newState());
  const singles = rows.map((row) => {
    const body = encoder.encode(3, row);
    expectSame(`${name} (single)`, [row], [decoder.decode(body).row]);
    return body.length;
  });
  const warm = singles.slice(100);
  const mean = warm.reduce((sum, bytes) => sum + bytes, 0) / warm.length;
  expectAtMost(`${name} single mean bytes`, mean, mostBytes[name]?.singleMean);
  return { ...result, singleFirstBytes: singles[0], singleWarmMeanBytes: Math.round(mean * 100) / 100 };
}

interface Speed {
  encodePerSecond: number;
  decodePerSecond: number;
}

/** One round is both directions of one connection; `run` gives the bodies, `undo` reads them. */
function measureSpeed<T>(events: number, run: () => T, undo: (made: T) => void): Speed {
  const round = (): [encodeMicros: number, decodeMicros: number] => {
    const start = process.cpuUsage();
    const made = run();
    const encode = process.cpuUsage(start);
    const middle = process.cpuUsage();
    undo(made);
    const decode = process.cpuUsage(middle);
    return [encode.user + encode.system, decode.user + decode.system];
  };
  const repeat = (seconds: number): [number, number, number] => {
    let [encode, decode, rounds] = [0, 0, 0];
    while (encode + decode < seconds * 1e6) {
      const [e, d] = round();
      encode += e;
      decode += d;
      rounds += 1;
    }
    return [encode, decode, rounds];
  };
  repeat(warmUpSeconds);
  const [encode, decode, rounds] = repeat(measuredSeconds);
  const perSecond = (micros: number): number => Math.round((rounds * events * 1e6) / micros);
  return { encodePerSecond: perSecond(encode), decodePerSecond: perSecond(decode) };
}

function measureBatches(packing: Packing, all: readonly Row[][]): Speed {
  const workspace = new BatchWorkspace(packing);
  const connections = 4;
  const speed = measureSpeed(
    connections * 300,
    () =>
      Array.from({ length: connections }, () => {
        const encoder = new BatchEncoder(newState(), workspace);
        return all.map((batch) => encoder.encode(3, batch));
      }),
    (made) => {
      for (const bodies of made) {
        const decoder = new BatchDecoder(newState());
        for (const body of bodies) decoder.decode(body);
      }
    },
  );
  for (const way of ['encode', 'decode'] as const) {
    const seen = speed[`${way}PerSecond`];
    const least = leastPerSecond[way];
    if (seen < least) missed.push(`c1 ${packing} ${way} ${seen} events/s, expected at least ${least}`);
  }
  return speed;
}

function measureSingles(rows: readonly Row[]): Speed {
  return measureSpeed(
    rows.length * 4,
    () =>
      Array.from({ length: 4 }, () => {
        const encoder = new EventEncoder(newState());
        return rows.map((row) => Buffer.from(encoder.encode(3, row)));
      }),
    (made) => {
      for (const bodies of made) {
        const decoder = new EventDecoder(newState());
        for (const body of bodies) decoder.decode(body);
      }
    },
  );
}

const sets: [string, Row[]][] = eventSets.map((set) => [set, readEventSet(set)]);
sets.push(['c1-opaque', readStructSet('c1')]);
const scenarios = Object.fromEntries(
  sets.map(([name, rows]) => {
    process.stderr.write(`bytes of ${name}\n`);
    return [name, measureBytes(name, rows)];
  }),
);
const c1 = readEventSet('c1');
const speed: Record<string, Speed> = {};
for (const packing of packings) {
  process.stderr.write(`speed of c1, ${packing}\n`);
  speed[`c1-${packing}`] = measureBatches(packing, batches(c1));
}
process.stderr.write('speed of c1, single events\n');
speed['c1-single'] = measureSingles(c1);

const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version, load1m: loadavg()[0] };
process.stdout.write(
  `${JSON.stringify({ scenarios, speed, targets: { mostBytes, mostRangeWarmC1, leastPerSecond }, missed, machine }, null, 2)}\n`,
);
for (const line of missed) process.stderr.write(`missed: ${line}\n`);
process.exitCode = missed.length === 0 ? 0 : 1;
