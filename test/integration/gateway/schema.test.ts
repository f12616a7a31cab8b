import { describe, expect, it } from 'vitest';
import { exactType } from '../../../src/eventlog/schema/compile-schema.ts';
import { parseSchema } from '../../../src/eventlog/schema/event-schema.ts';
import type { ConnectionId } from '../../../src/coordinator/gateway/port.ts';
import type { RowBlock } from '../../../src/protocol/packed-rows.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { createBench, LedgerCore, textRow, type Bench, type BenchDevice } from '../../support/link-bench.ts';
import { eventually } from '../../support/eventually.ts';

const text = JSON.stringify({ type: 'record', name: 'meter.Reading', fields: [{ name: 'volts', type: 'double' }] });
const { fingerprint, document } = parseSchema(text);
const schema = BigInt(`0x${fingerprint}`);
const volts = (value: number) => exactType(document).toBuffer({ volts: value });

/** How many schemas had been told when rows came. */
class WatchfulCore extends LedgerCore {
  readonly toldAtRows: number[] = [];

  override eventBlock(connection: ConnectionId, lane: Lane, firstSeq: number, block: RowBlock): void {
    this.toldAtRows.push(this.told.length);
    super.eventBlock(connection, lane, firstSeq, block);
  }
}

const addReader = (bench: Bench, id: string) =>
  bench.addDevice(id, { link: { schemas: new Map([[schema, readSchema(text)]]) } });

function publish({ log, link }: BenchDevice, value: number): void {
  log.append(Lane.bulk, textRow('', { type: 'meter.Reading', schema, payload: volts(value) }));
  link.wake();
}

const stored = (bench: Bench, id: string) =>
  [...bench.core.stored]
    .filter(([name]) => name.startsWith(`${id}/`))
    .flatMap(([, rows]) => rows.map(({ row }) => Buffer.from(row.payload)));

describe('a gateway', () => {
  it('hands the schema that a device tells to the core, before the rows that it is for', async () => {
    const core = new WatchfulCore();
    await using bench = await createBench({ core });
    const device = await addReader(bench, 'd1');
    publish(device, 1);
    await eventually('the row is stored', () => stored(bench, 'd1').length === 1);
    expect(stored(bench, 'd1')).toEqual([volts(1)]);
    expect(core.told).toEqual([{ connection: expect.any(Number), fingerprint: schema, text }]);
    expect(core.toldAtRows).toEqual([1]);
    expect(device.link.nacks()['need-schema']).toBe(1);
  });

  it('never asks for a registered one: not for one that came while it ran, nor after it was started anew', async () => {
    await using bench = await createBench();
    const early = await bench.addDevice('early');
    await eventually('live', () => early.link.status().state === 'live');
    bench.pool.addSchemas({ [fingerprint]: text });
    const device = await addReader(bench, 'd1');
    publish(device, 1);
    await eventually('the row is stored', () => stored(bench, 'd1').length === 1);
    const [pid] = bench.pool.pids;
    process.kill(pid!, 'SIGKILL');
    await eventually('another gateway', () => bench.pool.pids.some((one) => one !== pid));
    publish(device, 2);
    await eventually('the row is stored', () => stored(bench, 'd1').length === 2);
    expect(stored(bench, 'd1')).toEqual([volts(1), volts(2)]);
    expect(bench.core.told).toEqual([]);
    expect(device.link.nacks()['need-schema']).toBe(0);
  });
});
