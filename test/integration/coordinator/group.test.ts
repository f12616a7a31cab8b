import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;

beforeAll(async () => {
  directory = await temporaryDirectory();
  core = await startCore(directory.path);
  for (const id of ['gw-1', 'gw-2', 'web-1', 'web-2']) await enroll(core.client, id);
  await core.client.tagDevices({ selector: 'web-1', set: { ring: 'canary' }, unset: [] });
});

afterAll(async () => {
  await core[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const idsOf = async (selector: string) => (await core.client.match({ selector })).ids;

describe('a named group', () => {
  it('stands for its selector as a whole, in every other one', async () => {
    expect(await core.client.addGroup({ name: 'either', expression: 'I@ring:canary or gw-*' })).toMatchObject({
      matched: 3,
      usedBy: [],
    });
    expect(await idsOf('N@either and *-1')).toEqual(['gw-1', 'web-1']);
    expect(await idsOf('not N@either')).toEqual(['web-2']);
    expect((await core.client.explain({ selector: 'not N@either' })).children[0]).toMatchObject({ kind: 'group' });
  });

  it('may name others, but not itself by any way, nor what is not there', async () => {
    await core.client.addGroup({ name: 'outer', expression: 'N@either and not gw-2' });
    expect(await idsOf('N@outer')).toEqual(['gw-1', 'web-1']);
    await expect(core.client.addGroup({ name: 'x', expression: 'N@x' })).rejects.toMatchObject({
      code: 'selector-group-loop',
    });
    const circle = { name: 'either', expression: 'N@outer', replace: true, evenIfUsed: true };
    await expect(core.client.addGroup(circle)).rejects.toMatchObject({
      code: 'selector-group-loop',
      message: expect.stringContaining('either → outer → either'),
    });
    await expect(core.client.addGroup({ name: 'x', expression: 'N@eithre' })).rejects.toMatchObject({
      code: 'selector-unknown-group',
      detail: { suggestion: 'Write N@either.', position: { line: 1, column: 1 } },
    });
  });

  it('is changed only on purpose, and only knowingly while others name it', async () => {
    const change = { name: 'either', expression: 'gw-*' };
    await expect(core.client.addGroup(change)).rejects.toMatchObject({ code: 'group-exists', fault: 'refused' });
    await expect(core.client.addGroup({ ...change, replace: true })).rejects.toMatchObject({
      code: 'group-used',
      fault: 'refused',
      detail: { seen: 'group outer' },
    });
    const changed = await core.client.addGroup({ ...change, replace: true, evenIfUsed: true });
    expect(changed).toMatchObject({ matchedBefore: 3, matched: 2, usedBy: ['group outer'] });
    expect(await idsOf('N@outer')).toEqual(['gw-1']);
  });

  it('does not change what was started with it', async () => {
    const job = await core.client.startJob({
      selector: 'N@either',
      action: { kind: 'command', argv: ['true'], shell: false },
      timeoutSeconds: 60,
      expiresSeconds: 60,
      expect: 2,
    });
    await core.client.addGroup({ name: 'either', expression: 'web-*', replace: true, evenIfUsed: true });
    expect((await core.client.job(job.id)).results?.map(({ deviceId }) => deviceId)).toEqual(['gw-1', 'gw-2']);
  });

  it('is not removed while a group, a reader of the log or a schedule names it', async () => {
    const rows = core.client.streamConsumer('billing', { session: 's', selector: 'N@outer', from: 1 });
    await rows.next();
    await rows.return(undefined);
    await expect(core.client.removeGroup('either')).rejects.toMatchObject({ detail: { seen: 'group outer' } });
    await expect(core.client.removeGroup('outer')).rejects.toMatchObject({ detail: { seen: 'consumer billing' } });
    await core.client.removeConsumer('billing');
    await core.client.addSchedule({
      name: 'nightly',
      trigger: { kind: 'cron', cron: '0 3 * * *', zone: 'Europe/Berlin' },
      missed: 'skip',
      job: { selector: 'N@outer', action: { kind: 'command', argv: ['true'], shell: false } },
    });
    await expect(core.client.removeGroup('outer')).rejects.toMatchObject({ detail: { seen: 'schedule nightly' } });
    await core.client.removeSchedule('nightly');
    await core.client.removeGroup('outer');
    expect((await core.client.groups()).map(({ name }) => name)).toEqual(['either']);
    await expect(core.client.group('outer')).rejects.toMatchObject({ code: 'group-unknown' });
  });

  it('is there after a restart', async () => {
    await core[Symbol.asyncDispose]();
    core = await startCore(directory.path);
    expect(await core.client.group('either')).toMatchObject({ expression: 'web-*', matched: 2 });
  });
});

describe('the values of a tag', () => {
  it('are counted on the devices that match', async () => {
    expect(await core.client.values({ place: 'I@ring' })).toMatchObject({
      devices: 4,
      missing: 3,
      distinct: 1,
      values: [{ value: 'canary', count: 1 }],
    });
    expect(await core.client.values({ place: 'I@', selector: 'web-*' })).toMatchObject({
      devices: 2,
      keys: [{ key: 'ring', count: 1 }],
    });
    expect(await core.client.count({ selector: 'N@either' })).toEqual({ selector: 'N@either', count: 2 });
  });
});
