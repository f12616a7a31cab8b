/** Schemas and settings through the command line, with a real coordinator and a real agent whose product uses its door. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type DoorClient } from '../../src/door/index.ts';
import { parseSchema } from '../../src/eventlog/schema/event-schema.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';
import { refusal } from '../support/refusal.ts';

const reading = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'meter.Reading', fields });
const volts = { name: 'volts', type: 'double', unit: 'V' };
const v1 = reading(volts);
const v2 = reading(volts, { name: 'amps', type: ['null', 'double'], default: null });
/** Arrays have no columns: such events travel as they are, and nobody is told their schema by the way. */
const list = JSON.stringify({
  type: 'record',
  name: 'meter.Series',
  fields: [{ name: 'values', type: { type: 'array', items: 'long' } }],
});

let fleet: TestFleet;
let agent: TestAgent;
let door: DoorClient;
const file = (name: string) => join(fleet.scratch, name);

beforeAll(async () => {
  fleet = await createFleet();
  for (const [name, text] of Object.entries({ 'v1.avsc': v1, 'v2.avsc': v2, 'list.avsc': list })) {
    await writeFile(file(name), text);
  }
  await writeFile(file('bad.avsc'), reading({ ...volts, unit: 'mV' }));
  agent = await fleet.addAgent('gw-1');
  await fleet.connected('gw-1');
  // Read when an agent starts.
  await agent.kill();
  await mkdir(join(agent.dir, 'schemas'), { recursive: true });
  await writeFile(join(agent.dir, 'schemas', 'reading.avsc'), v1);
  await writeFile(join(agent.dir, 'schemas', 'series.avsc'), list);
  await agent.restart();
  door = await eventually('the door opens', () =>
    openDoor({ socket: join(agent.dir, 'door.sock') }).catch(() => false as const),
  );
  await fleet.connected('gw-1');
});
afterAll(async () => {
  await door?.close();
  await fleet?.[Symbol.asyncDispose]();
});

const tail = async (type: string, ...flags: string[]) =>
  (await fleet.cli(['event', 'tail', '--type', type, '--json', ...flags])).rows().map(({ payload }) => payload);

describe('schemas of events', () => {
  it('that nobody registered are told by the device, and its events are readable', async () => {
    await door.publish({ type: 'meter.Reading', key: 'm-1', value: { volts: 231.5 } });
    await eventually('the event is readable', async () => (await tail('meter.Reading'))[0]?.volts === 231.5);
    const { schemas } = (await fleet.cli(['event', 'schema', 'list', '--json'])).json();
    expect(schemas).toMatchObject([{ type: 'meter.Reading', state: 'unreviewed', source: 'device:gw-1' }]);
  });

  it('that do not travel in columns are asked for: stored before they can be read', async () => {
    await door.publish({ type: 'meter.Series', key: 'm-1', value: { values: [1, 2] } });
    const { fingerprint } = parseSchema(list);
    await eventually('the event is there', async () => (await tail('meter.Series')).length === 1);
    await eventually('the schema was told', async () => {
      const shown = await fleet.cli(['event', 'schema', 'show', fingerprint, '--json']);
      return shown.exitCode === 0 && shown.json().state === 'unreviewed';
    });
    expect(await tail('meter.Series')).toEqual([{ values: [1, 2] }]);
    expect((await fleet.cli(['event', 'schema', 'list', '--json'])).json().parked).toEqual([]);
    const log = (await fleet.cli(['event', 'tail', '--from', '1', '--limit', '1000', '--json'])).rows();
    const offset = (type: string) =>
      log.find((row) => row.type === type && row.key !== parseSchema(v1).fingerprint)!.offset;
    expect(offset('meter.Series')).toBeLessThan(offset('coordinator.schema-unreviewed'));
    const asked = await tail('flotilla.schema');
    expect(asked).toEqual([{ fingerprint, text: expect.any(String) }]);
  });

  it('of version 2 read old events, once it is registered; --as-written shows them as they were', async () => {
    const registered = await fleet.cli(['event', 'schema', 'register', file('v1.avsc'), file('v2.avsc'), '--json']);
    expect(registered.json().schemas).toMatchObject([
      { version: 1, outcome: 'registered' },
      { version: 2, outcome: 'registered' },
    ]);
    expect(await tail('meter.Reading')).toEqual([{ volts: 231.5, amps: null }]);
    expect(await tail('meter.Reading', '--as-written')).toEqual([{ volts: 231.5 }]);
    const again = await fleet.cli(['event', 'schema', 'register', file('v2.avsc')]);
    expect([again.exitCode, again.stdout]).toEqual([0, expect.stringContaining('unchanged: meter.Reading version 2')]);
  });

  it('that do not fit are refused by register, and told by check with the field', async () => {
    const refused = await refusal(fleet.cli, ['event', 'schema', 'register', file('list.avsc'), file('bad.avsc')]);
    expect(refused).toMatchObject({ exitCode: 6, error: { code: 'schema-incompatible' } });
    expect(refused.error.message).toContain('meter.Reading, field volts: its unit changed from "V" to "mV"');
    const { schemas } = (await fleet.cli(['event', 'schema', 'list', '--json'])).json();
    expect(schemas.filter(({ type, state }: any) => type === 'meter.Series' && state === 'reviewed')).toEqual([]);
    const checked = await fleet.cli(['event', 'schema', 'check', file('bad.avsc'), '--json']);
    expect(checked.exitCode).toBe(4);
    expect(checked.json()).toMatchObject({
      ok: false,
      against: 'coordinator',
      incompatibilities: [
        { field: 'volts', older: 'version 1', newer: file('bad.avsc') },
        { field: 'volts', older: 'version 2' },
      ],
    });
  });

  it('are checked among files where there is no fleet', async () => {
    const alone = { cwd: '/', env: { FLOTILLA_FLEET_DIR: '' } };
    const bad = await fleet.cli(['event', 'schema', 'check', file('v1.avsc'), file('bad.avsc')], alone);
    expect(bad.exitCode).toBe(4);
    expect(bad.stdout).toContain('bad  meter.Reading, field volts');
    expect(bad.stdout).toContain('2 schemas compared with each other: not compatible');
    await mkdir(file('all'));
    for (const [n, text] of [v1, v2].entries()) await writeFile(join(file('all'), `reading.v${n + 9}.avsc`), text);
    const good = await fleet.cli(['event', 'schema', 'check', file('all'), '--offline', '--json'], alone);
    expect(good.json()).toMatchObject({ ok: true, against: 'files', checked: [{}, {}] });
  });
});

describe('settings of a device', () => {
  const config = async (...words: string[]) => await fleet.cli(['device', 'config', ...words]);
  const shown = async () => (await config('get', 'gw-1', 'limits', '--json')).json();

  it('reach the product, come back as it takes them, and are merged with what it changes', async () => {
    await writeFile(file('limits.yaml'), 'flow:\n  max: 10\n  min: 1\n');
    const set = await config('set', 'gw-1', 'limits', file('limits.yaml'), '--json');
    expect(set.json()).toMatchObject([{ deviceId: 'gw-1', state: expect.stringMatching(/pending|sent/), version: 1 }]);
    const desired = door.watchDocuments(['limits']);
    const first = (await desired.next()).value!;
    expect(first.desired).toMatchObject({ version: 1, document: { flow: { max: 10, min: 1 } } });
    expect((await shown()).state).toBe('sent');
    await door.applied('limits', 1);
    await eventually('applied', async () => (await shown()).state === 'applied');
    await door.change('limits', { flow: { max: 10, min: 2 } });
    await eventually('the change is known', async () => (await shown()).reported.revision === 2);
    const second = await fleet.cli(['device', 'config', 'set', 'gw-1', 'limits', '-', '--json'], {
      input: '{"flow":{"max":12,"min":1}}',
    });
    expect(second.json()).toMatchObject([{ version: 2, kept: ['/flow/min'], conflicts: [] }]);
    const next = (await desired.next()).value!;
    expect(next.desired).toMatchObject({ version: 2, document: { flow: { max: 12, min: 2 } } });
    await door.rejected('limits', 2, 'the pump is running');
    await eventually('rejected', async () => (await shown()).state === 'rejected');
    const show = await fleet.cli(['device', 'show', 'gw-1']);
    expect(show.stdout).toMatch(
      /settings: +limits: rejected, version 2, revision 2 on the device \(the pump is running\)/,
    );
    await desired.return(undefined);
  });

  it('in conflict are shown side by side, raise an alert, and go out as the operator decides', async () => {
    await fleet.cli(['device', 'config', 'set', 'gw-1', 'limits', '-'], { input: 'flow: { max: 12, min: 2 }' });
    const desired = door.watchDocuments(['limits']);
    await door.applied('limits', (await desired.next()).value!.desired.version);
    await eventually('applied', async () => (await shown()).state === 'applied');
    await door.change('limits', { flow: { max: 99, min: 2 } });
    await eventually('the change is known', async () => (await shown()).reported.document.flow.max === 99);
    const set = await fleet.cli(['device', 'config', 'set', 'gw-1', 'limits', '-'], {
      input: 'flow: { max: 5, min: 2 }',
    });
    expect([set.exitCode, set.stdout]).toEqual([4, expect.stringContaining('changed on both sides: /flow/max')]);
    const diff = await config('diff', 'gw-1', 'limits');
    expect(diff.stdout).toMatch(/\/flow\/max +12 +5 +99 +conflict/);
    expect(await tail('coordinator.config-conflict')).toMatchObject([{ name: 'limits', paths: ['/flow/max'] }]);
    const resolved = await config('resolve', 'gw-1', 'limits', '--take', 'desired', '--json');
    expect(resolved.json()).toMatchObject({ desired: { document: { flow: { max: 5, min: 2 } } } });
    const { desired: last } = (await desired.next()).value!;
    expect(last.document).toEqual({ flow: { max: 5, min: 2 } });
    await door.applied('limits', last.version);
    await eventually('applied', async () => (await shown()).state === 'applied');
    expect((await config('diff', 'gw-1', 'limits')).stdout).toContain('no differences');
    await desired.return(undefined);
  });

  it('refuse what is no document, nobody, and an unknown side', async () => {
    const cli = fleet.cli;
    const set = ['device', 'config', 'set'];
    await writeFile(file('broken.yaml'), 'a: [1\n');
    expect(await refusal(cli, [...set, 'gw-1', 'limits', file('broken.yaml')])).toMatchObject({ exitCode: 2 });
    const wide = await refusal(cli, [...set, 'gw-1', 'limits', '-'], { input: 'n: 9007199254740993' });
    expect(wide).toMatchObject({ exitCode: 2, error: { seen: '9007199254740993' } });
    expect(await refusal(cli, [...set, 'nobody', 'limits', file('limits.yaml')])).toMatchObject({ exitCode: 3 });
    expect(await refusal(cli, ['device', 'config', 'get', 'gw-1', 'nothing'])).toMatchObject({
      exitCode: 2,
      error: { code: 'config-unknown' },
    });
  });
});
