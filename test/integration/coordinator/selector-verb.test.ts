/** Every verb that takes devices takes the same language, and says the same of what it cannot take. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;

beforeAll(async () => {
  directory = await temporaryDirectory();
  core = await startCore(directory.path);
  for (const id of ['gw-1', 'gw-2']) await enroll(core.client, id);
  await core.client.addGroup({ name: 'first', expression: 'gw-1' });
});

afterAll(async () => {
  await core[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const action = { kind: 'command' as const, argv: ['true'], shell: false };
/** Those that act refuse a selector that matches nobody; those that show, show nothing. */
const acting: Record<string, (selector: string) => Promise<unknown>> = {
  'device accept': (selector) => core.client.acceptDevices(selector),
  'device tag': (selector) => core.client.tagDevices({ selector, set: { a: '1' }, unset: [] }),
  'device config set': (selector) => core.client.setConfig({ selector, name: 'x', document: {} }),
  'cert renew': (selector) => core.client.renewCertificates({ selector }),
  run: (selector) => core.client.startJob({ selector, action, timeoutSeconds: 9, expiresSeconds: 9, dryRun: true }),
  'device quarantine': (selector) => core.client.quarantineDevices({ selector, reason: 'x' }),
  'device reject': (selector) => core.client.rejectDevices(selector),
};
const showing: Record<string, (selector: string) => Promise<unknown>> = {
  'device list': (selector) => core.client.devices({ selector }),
  'device watch': async (selector) => core.client.watchDevices({ selector }).next(),
  'event tail': (selector) => core.client.events({ selector }),
  'event export': async (selector) => core.client.exportEvents({ selector }).next(),
  'event tail --consumer': async (selector) => core.client.streamConsumer('c', { session: 's', selector }).next(),
  'deadletter list': (selector) => core.client.deadLetters({ selector }),
  'select match': (selector) => core.client.match({ selector }),
  'select count': (selector) => core.client.count({ selector }),
  'select explain': (selector) => core.client.explain({ selector }),
  'select values': (selector) => core.client.values({ place: 'G@', selector }),
  'group add': (selector) => core.client.addGroup({ name: 'x', expression: selector }),
};

describe.each(Object.entries({ ...showing, ...acting }))('%s', (_, ask) => {
  it.each([
    ['gw-1 and not G@site', 'selector-missing-delimiter'],
    ['gw-1 and not N@frist', 'selector-unknown-group'],
  ])('refuses %s with its place', async (selector, code) => {
    await expect(ask(selector)).rejects.toMatchObject({
      code,
      fault: 'usage',
      detail: { position: { line: 1, column: 14 }, excerpt: expect.stringContaining('^') },
    });
  });
});

describe.each(Object.entries(acting))('%s', (_, ask) => {
  it('refuses a selector that matches nobody, and takes a group', async () => {
    await expect(ask('gw-9')).rejects.toMatchObject({ fault: 'none-matched' });
    await expect(ask('N@first and *')).resolves.toBeDefined();
  });
});
