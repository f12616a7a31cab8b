import { describe, expect, it } from 'vitest';
import { exactType } from '../../../src/eventlog/schema/compile-schema.ts';
import { parseSchema } from '../../../src/eventlog/schema/event-schema.ts';
import { Lane, type Row } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

const reading = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'meter.Reading', fields });
const volts = { name: 'volts', type: 'double', unit: 'V' };
const amps = { name: 'amps', type: ['null', 'double'], default: null };
const v1 = reading(volts);
const v2 = reading(volts, amps);
const fingerprintOf = (text: string) => parseSchema(text).fingerprint;

function avroRow(text: string, value: unknown): Row {
  const { fingerprint, document, type } = parseSchema(text);
  return {
    type,
    key: 'm',
    timestampMs: 1,
    schema: BigInt(`0x${fingerprint}`),
    payload: exactType(document).toBuffer(value),
  };
}

/** Sends rows as a gateway does: the product's as a packed block. */
async function sendRows(device: FakeDevice, rows: Row[]): Promise<void> {
  device.sendBlock(rows, Lane.bulk);
  await device.heard(Lane.bulk);
}

async function connected(core: CoreBench, id = 'gw-1', accepts: Record<string, number> = { 'schema.tell': 1 }) {
  const device = core.gateways.connect(await enroll(core.client, id));
  await device.admitted.promise;
  device.say('flotilla.accepts', { agentVersion: '1.0.0', accepts });
  await device.heard();
  return device;
}

const payloads = async (core: CoreBench, asWritten?: boolean) =>
  (await core.client.events({ type: 'meter.*', ...(asWritten === undefined ? {} : { asWritten }) })).map(
    ({ payload }) => payload,
  );

describe('the registry of schemas', () => {
  it('numbers versions, is idempotent, and outlives a restart', async () => {
    await using directory = await temporaryDirectory();
    {
      await using core = await startCore(directory.path);
      const both = await core.client.registerSchemas({
        schemas: [
          { label: 'v1.avsc', text: v1 },
          { label: 'v2.avsc', text: v2 },
        ],
      });
      expect(both.schemas).toMatchObject([
        { type: 'meter.Reading', version: 1, outcome: 'registered', state: 'reviewed' },
        { type: 'meter.Reading', version: 2, outcome: 'registered', fingerprint: fingerprintOf(v2) },
      ]);
      const again = await core.client.registerSchemas({ schemas: [{ label: 'x', text: v1 }] });
      expect(again.schemas).toMatchObject([{ version: 1, outcome: 'unchanged' }]);
      expect(core.gateways.schemas).toEqual({ [fingerprintOf(v1)]: v1, [fingerprintOf(v2)]: v2 });
      const audited = await core.client.events({ type: 'coordinator.schema-registered' });
      expect(audited.map(({ payload }) => (payload as { version: number }).version)).toEqual([1, 2]);
    }
    await using core = await startCore(directory.path);
    expect(core.gateways.schemas).toEqual({ [fingerprintOf(v1)]: v1, [fingerprintOf(v2)]: v2 });
    expect(await core.client.schema('meter.Reading')).toMatchObject({ version: 2, text: v2 });
    expect(await core.client.schema('meter.Reading@1')).toMatchObject({ text: v1 });
    expect(await core.client.schema(fingerprintOf(v1))).toMatchObject({ version: 1 });
    await expect(core.client.schema('meter.Reading@3')).rejects.toMatchObject({ code: 'schema-unknown' });
  });

  it('refuses one that does not fit, with the field and the reason, and then registers nothing', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await core.client.registerSchemas({ schemas: [{ label: 'v1.avsc', text: v1 }] });
    const other = JSON.stringify({ type: 'record', name: 'meter.Other', fields: [] });
    const bad = reading({ ...volts, unit: 'mV' });
    const refused = core.client.registerSchemas({
      schemas: [
        { label: 'other.avsc', text: other },
        { label: 'bad.avsc', text: bad },
      ],
    });
    await expect(refused).rejects.toMatchObject({
      fault: 'refused',
      code: 'schema-incompatible',
      message: expect.stringContaining('meter.Reading, field volts: its unit changed from "V" to "mV"'),
      detail: { seen: 'version 1, and bad.avsc', suggestion: expect.any(String) },
    });
    expect((await core.client.schemas()).schemas.map(({ type }) => type)).toEqual(['meter.Reading']);
    expect(Object.keys(core.gateways.schemas)).toEqual([fingerprintOf(v1)]);
  });
});

describe('events of a schema that nobody knows', () => {
  it('are parked, asked for once, and readable when the device has told it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core);
    await sendRows(device, [avroRow(v1, { volts: 230 }), avroRow(v1, { volts: 231 })]);
    await sendRows(device, [avroRow(v1, { volts: 232 })]);
    const fingerprint = fingerprintOf(v1);
    expect((await core.client.schemas()).parked).toMatchObject([{ fingerprint, events: 3, deviceId: 'gw-1' }]);
    expect((await payloads(core))[0]).toMatchObject({ schema: fingerprint, base64: expect.any(String) });
    expect((await device.request('schema.tell')).payload).toEqual({ fingerprint });
    expect(device.requests).toHaveLength(1);
    device.say('flotilla.schema', { fingerprint, text: v2 }, { key: fingerprint }); // another one's text
    device.say('flotilla.schema', { fingerprint, text: v1 }, { key: fingerprint });
    await device.heard();
    expect(device.nacks).toMatchObject([{ class: 'reject', detail: 'could not be carried out' }]);
    const [dead] = await core.client.events({ type: 'coordinator.dead-letter' });
    expect((dead!.payload as { reason: string }).reason).toContain('a schema that is not the one of its fingerprint');
    expect(await core.client.schemas()).toMatchObject({
      schemas: [{ fingerprint, state: 'unreviewed', source: 'device:gw-1' }],
      parked: [],
    });
    expect(await payloads(core)).toEqual([{ volts: 230 }, { volts: 231 }, { volts: 232 }]);
    expect(core.gateways.schemas).toEqual({}); // told by a device: good for reading, not for other devices' columns
    // Registered, and old events are read as version 2 has them.
    await core.client.registerSchemas({
      schemas: [
        { label: 'v1', text: v1 },
        { label: 'v2', text: v2 },
      ],
    });
    expect(await payloads(core)).toContainEqual({ volts: 230, amps: null });
    expect(await payloads(core, true)).toContainEqual({ volts: 230 });
    expect((await core.client.schemas()).schemas).toMatchObject([{ version: 1 }, { version: 2 }]);
  });

  it('are asked for at the next device when the first does not know, and not at a whole fleet', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const first = await connected(core, 'gw-1');
    const second = await connected(core, 'gw-2');
    const fingerprint = fingerprintOf(v1);
    await sendRows(first, [avroRow(v1, { volts: 1 })]);
    await sendRows(second, [avroRow(v1, { volts: 1 })]);
    await first.request('schema.tell');
    expect(second.requests).toEqual([]);
    first.say('flotilla.schema', { fingerprint }, { key: fingerprint });
    await first.heard();
    await sendRows(second, [avroRow(v1, { volts: 1 })]);
    await second.request('schema.tell');
    await sendRows(first, [avroRow(v1, { volts: 1 })]);
    expect(first.requests).toHaveLength(1);
    const asked = { 'gw-1': expect.any(Number), 'gw-2': expect.any(Number) };
    expect((await core.client.schemas()).parked).toMatchObject([{ events: 4, asked }]);
  });

  it('that DEFINE tells are read at once, and a text of another fingerprint is refused, not the rows', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core);
    device.handler.schema(device.connection, BigInt(`0x${fingerprintOf(v1)}`), v1);
    await sendRows(device, [avroRow(v1, { volts: 5 })]);
    expect(await payloads(core)).toEqual([{ volts: 5 }]);
    expect((await core.client.schemas()).parked).toEqual([]);
    device.handler.schema(device.connection, BigInt(`0x${fingerprintOf(v2)}`), v1);
    await sendRows(device, [avroRow(v2, { volts: 6, amps: { double: 1 } })]);
    expect((await core.client.schemas()).parked).toMatchObject([{ fingerprint: fingerprintOf(v2), events: 1 }]);
    expect(await core.client.events({ type: 'coordinator.schema-refused' })).toHaveLength(1);
  });

  it('are counted together beyond a bound, and asked for no more', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core);
    const row = (n: number): Row => ({ ...avroRow(v1, { volts: 1 }), schema: BigInt(n) });
    await sendRows(
      device,
      Array.from({ length: 100 }, (_, n) => row(n + 1)),
    );
    const { parked } = await core.client.schemas();
    expect(parked).toHaveLength(33);
    expect(parked[0]).toMatchObject({ fingerprint: '', events: 68 });
    expect(await core.client.events({ type: 'meter.*', limit: 1000 })).toHaveLength(100);
    expect(device.requests).toHaveLength(32);
  });

  it('wait with their question for a device that does not announce it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core, 'gw-1', {});
    await sendRows(device, [avroRow(v1, { volts: 1 })]);
    const shown = await core.client.device('gw-1');
    expect(shown.held).toMatchObject([
      { type: 'schema.tell', reason: 'needs schema.tell, which agent 1.0.0 does not announce' },
    ]);
    expect(device.requests).toEqual([]);
    device.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: { 'schema.tell': 1 } });
    await device.request('schema.tell');
    expect((await core.client.device('gw-1')).held).toBeUndefined();
  });
});
