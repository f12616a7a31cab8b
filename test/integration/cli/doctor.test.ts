import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { execa } from 'execa';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { checkDescriptors } from '../../../src/cli/doctor/check-descriptor.ts';
import { checkDevices } from '../../../src/cli/doctor/check-device.ts';
import { examine } from '../../../src/cli/doctor/examine.ts';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import type { CoordinatorStatus, Device } from '../../../src/client/contract/index.ts';
import { fleetLayout } from '../../../src/config/fleet-layout.ts';
import { createFleet } from '../../../src/provision/create-fleet.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const yearMs = 365 * 86_400_000;

async function makeFleet(passphrase?: string) {
  const place = await temporaryDirectory();
  const option = { directory: `${place.path}/fleet`, fleetId: 'harbour', hosts: ['127.0.0.1'], port: 0, passphrase };
  await createFleet({ ...option, nowMs: Date.now() });
  const layout = fleetLayout(option.directory);
  return { layout, directory: option.directory, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

const look = (fleet: { directory: string }) => examine({ 'fleet-dir': fleet.directory }, Date.now());
const of = (findings: Finding[], name: string) => findings.filter((finding) => finding.id === name);
const failed = (findings: Finding[]) => findings.filter(({ verdict }) => verdict === 'fail');

describe('doctor', () => {
  it('finds nothing bad in a new fleet, and says that the coordinator does not run', async () => {
    await using fleet = await makeFleet('correct horse');
    const findings = await examine({ 'fleet-dir': fleet.directory }, Date.now());
    expect(failed(findings)).toEqual([]);
    expect(of(findings, 'coordinator')).toMatchObject([
      { verdict: 'warn', mend: 'flotilla coordinator start --detach' },
    ]);
    expect(of(findings, 'root-key')).toMatchObject([{ verdict: 'ok' }]);
  });

  it('finds a key that others can read, and names the command that mends it', async () => {
    await using fleet = await makeFleet();
    await chmod(fleet.layout.issuingKey, 0o644);
    const [finding, ...rest] = failed(await examine({ 'fleet-dir': fleet.directory }, Date.now()));
    expect(rest).toEqual([]);
    expect(finding?.seen).toContain('mode 0644');
    expect(finding?.mend).toContain(`chmod 600 ${fleet.layout.issuingKey}`);
  });

  it('finds that a file is of another fleet', async () => {
    await using fleet = await makeFleet();
    await using other = await makeFleet();
    await writeFile(fleet.layout.authorityBundle, await readFile(other.layout.authorityBundle));
    const [finding, ...rest] = failed(await examine({ 'fleet-dir': fleet.directory }, Date.now()));
    expect([finding?.id, rest]).toEqual(['identity', []]);
    expect(finding?.seen).toContain('authority.crt');
  });

  it('finds certificates that have ended, and a clock that stands before the fleet was made', async () => {
    await using fleet = await makeFleet();
    const later = await examine({ 'fleet-dir': fleet.directory }, Date.now() + 30 * yearMs);
    expect(failed(later).map(({ id }) => id)).toContain('certificates');
    const earlier = await examine({ 'fleet-dir': fleet.directory }, 0);
    expect(of(earlier, 'clock')).toMatchObject([{ verdict: 'fail' }]);
  });

  it('finds a broken coordinator.yaml with its line, and missing keys', async () => {
    await using fleet = await makeFleet();
    await writeFile(fleet.layout.config, `${await readFile(fleet.layout.config, 'utf8')}\nnonsense: 1\n`);
    expect(of(await examine({ 'fleet-dir': fleet.directory }, Date.now()), 'fleet')[0]).toMatchObject({
      verdict: 'fail',
      seen: expect.stringMatching(/coordinator\.yaml:\d+:1: unknown key nonsense/),
    });
  });

  it('finds that the keys are gone', async () => {
    await using fleet = await makeFleet();
    await rm(fleet.layout.pki, { recursive: true });
    await rm(fleet.layout.keys, { recursive: true });
    expect(failed(await examine({ 'fleet-dir': fleet.directory }, Date.now())).map(({ id }) => id)).toEqual([
      'keys',
      'certificates',
    ]);
  });

  it('finds that another program has the port', async () => {
    await using fleet = await makeFleet();
    const server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const text = await readFile(fleet.layout.config, 'utf8');
    await writeFile(fleet.layout.config, text.replace('port: 0', `port: ${port}`));
    const findings = await examine({ 'fleet-dir': fleet.directory }, Date.now());
    server.close();
    expect(of(findings, 'port')).toMatchObject([{ verdict: 'fail', seen: expect.stringContaining('EADDRINUSE') }]);
  });

  it('finds that there is no fleet', async () => {
    await using place = await temporaryDirectory();
    expect(failed(await examine({ 'fleet-dir': place.path }, Date.now()))).toMatchObject([{ id: 'fleet' }]);
  });

  it('finds folders that others write into, and data that others read', async () => {
    await using fleet = await makeFleet();
    const data = join(fleet.directory, 'data');
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(join(data, 'audit-heads.ndjson'), '', { mode: 0o600 });
    await chmod(join(data, 'audit-heads.ndjson'), 0o640);
    await chmod(fleet.layout.pki, 0o777);
    const found = of(failed(await look(fleet)), 'folders');
    expect(found).toMatchObject([
      { mend: `chmod go-w ${fleet.layout.pki}` },
      { mend: `chmod 600 ${join(data, 'audit-heads.ndjson')}`, expected: '0600' },
    ]);
  });

  it('finds a ticket key that others could read, that is none, or that comes from tomorrow', async () => {
    await using fleet = await makeFleet();
    const data = join(fleet.directory, 'data');
    const path = join(data, 'ticket-key.json');
    await mkdir(data, { recursive: true });
    const write = async (text: string, mode = 0o600): Promise<Finding> => {
      await rm(path, { force: true });
      await writeFile(path, text);
      await chmod(path, mode);
      return of(await look(fleet), 'ticket-key')[0]!;
    };
    const made = (atMs: number): string => JSON.stringify({ madeAtMs: atMs, keyHex: 'ab'.repeat(48) });
    expect(await write(made(Date.now()))).toMatchObject({ verdict: 'ok' });
    expect(await write(made(Date.now() - yearMs))).toMatchObject({
      verdict: 'ok',
      seen: expect.stringContaining('too old'),
    });
    expect(await write(made(Date.now()), 0o644)).toMatchObject({
      verdict: 'fail',
      mend: expect.stringContaining(`rm ${path}`),
    });
    expect(await write('{}')).toMatchObject({ verdict: 'fail' });
    expect(await write('nonsense')).toMatchObject({ verdict: 'fail' });
    expect(await write(made(Date.now() + yearMs))).toMatchObject({ verdict: 'warn' });
  });

  it('finds a database that is damaged, that is no database, and one without its audit log', async () => {
    await using fleet = await makeFleet();
    const path = join(fleet.directory, 'data', 'flotilla.db');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'no database at all, but long enough to be looked at as one'.repeat(40), { mode: 0o600 });
    expect(of(await look(fleet), 'database')).toMatchObject([
      { verdict: 'fail', mend: expect.stringContaining('backup') },
    ]);
    await rm(path);
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE meta (key TEXT, value TEXT)');
    database.close();
    expect(of(await look(fleet), 'audit')).toMatchObject([
      { verdict: 'fail', seen: expect.stringContaining('no audit log') },
    ]);
  });

  it('finds what a coordinator that was killed has left', async () => {
    await using fleet = await makeFleet();
    const run = join(fleet.directory, 'run');
    await mkdir(run, { recursive: true });
    expect(of(await look(fleet), 'remains')).toMatchObject([{ verdict: 'ok' }]);
    await writeFile(join(run, 'coordinator.json'), JSON.stringify({ pid: 2 ** 22 + 1, port: 1, startedAtMs: 1 }));
    expect(of(await look(fleet), 'remains')).toMatchObject([
      { verdict: 'warn', mend: expect.stringContaining('coordinator start') },
    ]);
    // Another program has its number now.
    await writeFile(join(run, 'coordinator.json'), JSON.stringify({ pid: process.pid, port: 1, startedAtMs: 1 }));
    expect(of(await look(fleet), 'remains')).toMatchObject([{ verdict: 'warn' }]);
  });
});

describe('doctor, of devices', () => {
  const nowMs = Date.parse('2026-11-26T00:00:00Z');
  const device = (id: string, over: Partial<Device>): Device =>
    ({
      id,
      state: 'accepted',
      connected: true,
      grains: {},
      tags: {},
      quarantinedBundles: [],
      agentVersion: '1.2.0',
      ...over,
    }) as Device;
  const status = (over: Partial<CoordinatorStatus> = {}): CoordinatorStatus =>
    ({
      version: '1.2.0',
      gateways: [{ pid: process.pid, connections: 0 }],
      devices: { total: 2, connected: 2, byState: {} },
      deadLetters: [],
      alerts: [],
      alertCount: 0,
      ...over,
    }) as unknown as CoordinatorStatus;
  const examined = (devices: Device[], over: Partial<CoordinatorStatus> = {}): Promise<Finding[]> =>
    checkDevices({ devices: async () => devices }, status(over), nowMs);

  it('finds nothing in devices that are well', async () => {
    const clock = { atMs: nowMs, source: 'rtc' as const, skewMs: -59_000, floorMs: 0 };
    const certificate = { serial: '1', notAfterMs: nowMs + yearMs };
    const findings = await examined([device('gw-1', { clock, certificate })]);
    expect(findings.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['dead-letters', 'ok'],
      ['alerts', 'ok'],
      ['device-clocks', 'ok'],
      ['device-certificates', 'ok'],
      ['device-versions', 'ok'],
    ]);
  });

  it('finds clocks, ends of certificates and old agents, and names the worst', async () => {
    const skew = (skewMs: number) => ({ atMs: nowMs, source: 'signed' as const, skewMs, floorMs: 0 });
    const findings = await examined([
      device('gw-1', { clock: skew(-1.7e12), certificate: { serial: '1', notAfterMs: nowMs - 1 } }),
      device('gw-2', { clock: skew(61_000), certificate: { serial: '2', notAfterMs: nowMs + 86_400_000 } }),
      device('gw-3', { agentVersion: '1.1.9' }),
      device('gw-4', { agentVersion: 'nonsense' }),
      device('gw-5', { agentVersion: '0.1.0', replacedBy: 'gw-6' }),
    ]);
    expect(of(findings, 'device-clocks')).toMatchObject([
      { verdict: 'warn', seen: expect.stringMatching(/^gw-1 -.*, gw-2 \+/) },
    ]);
    expect(of(findings, 'device-certificates')[0]!.seen).toMatch(/^gw-1 .*, gw-2 in /);
    expect(of(findings, 'device-versions')).toMatchObject([
      { verdict: 'warn', seen: 'gw-3 1.1.9', expected: 'agents of 1.2.0' },
    ]);
  });

  it('finds what waits for a decision, and alerts', async () => {
    const deadLetters = [
      { layer: 'decode', type: 'meter.Reading', count: 3, oldestAtMs: nowMs - 86_400_000 },
      { layer: 'frame', type: '', count: 1, oldestAtMs: nowMs - 1_000 },
    ];
    const alerts = [{ deviceId: 'gw-7', kind: 'clone' as const, detail: '', atMs: nowMs }];
    const findings = await examined([], { deadLetters, alerts, alertCount: 9 });
    expect(of(findings, 'dead-letters')).toMatchObject([
      { verdict: 'warn', seen: '4 dead letters, the oldest 1d ago: 3 decode meter.Reading, 1 frame' },
    ]);
    expect(of(findings, 'alerts')).toMatchObject([{ verdict: 'warn', seen: 'gw-7 clone and 8 more' }]);
  });

  it('finds a limit of file descriptors that is too low for the fleet', async () => {
    const child = execa('sh', ['-c', 'ulimit -n 100; exec sleep 60'], { reject: false });
    const { pid = 0 } = child;
    const devices = (total: number, connected: number) => ({ total, connected, byState: {} });
    const check = (total: number, connected: number) =>
      checkDescriptors(status({ gateways: [{ pid, connections: connected }], devices: devices(total, connected) }));
    try {
      await eventually('the limit is set', async () => (await check(1, 1)).seen.startsWith('100 for each'));
      expect(await check(30, 30)).toMatchObject({ verdict: 'ok' });
      expect(await check(500, 30)).toMatchObject({
        verdict: 'warn',
        mend: expect.stringContaining('LimitNOFILE=1024'),
      });
      expect(await check(500, 36)).toMatchObject({ verdict: 'fail' });
    } finally {
      child.kill('SIGKILL');
      await child;
    }
  });
});
