import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDeviceLog, openDeviceDatabase, parseJsonRow } from '../../../src/eventlog/index.ts';
import { createIssuingAuthority, createRootAuthority } from '../../../src/pki/authority.ts';
import { parseCsr } from '../../../src/pki/csr.ts';
import { issueDeviceCertificate } from '../../../src/pki/issue.ts';
import { flotilla, start } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
let dir: string;
let config: string;

beforeAll(async () => {
  folder = await temporaryDirectory();
  dir = join(folder.path, 'meter-1');
  config = join(dir, 'agent.yaml');
});
afterAll(() => folder[Symbol.asyncDispose]());

async function certify(): Promise<void> {
  const root = await createRootAuthority({ fleetId: 'harbour' });
  const issuing = await createIssuingAuthority(root);
  const { publicKey } = await parseCsr(await readFile(join(dir, 'device.csr'), 'utf8'));
  const device = { fleetId: 'harbour', deviceId: 'meter-1', publicKey, nowMs: Date.now() };
  await writeFile(join(dir, 'device.crt'), await issueDeviceCertificate(issuing, device));
  await writeFile(join(dir, 'authority.crt'), issuing.certificatePem + root.certificatePem);
}

function eventTypes(): string[] {
  const database = openDeviceDatabase(join(dir, 'state', 'agent.db'));
  const log = createDeviceLog(database);
  const rows = [0, 2].flatMap((lane) => log.read(lane as 0 | 2, 0, 100, 1 << 20).rows);
  database.close();
  for (const row of rows) parseJsonRow(row);
  return rows.map(({ type }) => type);
}

describe('the agent as a person starts it', () => {
  it('gets a key that only its owner can read, a request and a file that is valid, and never overwrites them', async () => {
    const made = await flotilla(['agent', 'init', dir, '--id', 'meter-1', '--coordinator', '127.0.0.1:1', '--json']);
    expect(made.exitCode).toBe(0);
    expect(made.json()).toMatchObject({
      deviceId: 'meter-1',
      coordinator: { host: '127.0.0.1', port: 1 },
      next: [expect.stringContaining('cert sign'), expect.stringContaining('agent run')],
    });
    expect((await stat(join(dir, 'device.key'))).mode & 0o777).toBe(0o600);
    const key = await readFile(join(dir, 'device.key'), 'utf8');
    const again = await flotilla(['agent', 'init', dir, '--id', 'meter-2', '--coordinator', '127.0.0.1:1', '--json']);
    expect(again.exitCode).toBe(6);
    expect(again.json()).toMatchObject({ error: { code: 'file-exists' } });
    expect(await readFile(join(dir, 'device.key'), 'utf8')).toBe(key);
  });

  it('says what is missing or wrong in one message, and ends', async () => {
    const run = () => flotilla(['agent', 'run', '--config', config]);
    const missing = await run();
    expect([missing.exitCode, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/no certificate yet.*\n.*\n.*cert sign/),
    ]);
    await chmod(join(dir, 'device.key'), 0o644);
    const exposed = await run();
    expect([exposed.exitCode, exposed.stderr]).toEqual([6, expect.stringContaining('chmod 600')]);
    await chmod(join(dir, 'device.key'), 0o600);
    const yaml = await readFile(config, 'utf8');
    await writeFile(config, yaml.replace('port: 1', 'port: high'));
    const malformed = await run();
    expect([malformed.exitCode, malformed.stderr]).toEqual([2, expect.stringMatching(/agent\.yaml:\d+:\d+: .*port/)]);
    await writeFile(config, yaml);
  });

  it('waits for a coordinator that is away, keeps its log, is alone on its state, and stops in order', async () => {
    await certify();
    await writeFile(join(dir, 'grains.yaml'), 'site: harbour\n');
    const agent = start(['agent', 'run', '--config', config]);
    const said: string[] = [];
    agent.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    await eventually('it has been refused a connection', () => said.join('').includes('not connected'));
    await eventually('its events are in its log', () => eventTypes().length === 3);
    const second = await flotilla(['agent', 'run', '--config', config]);
    expect([second.exitCode, second.stderr]).toEqual([
      6,
      expect.stringContaining('another agent works on this state folder'),
    ]);
    agent.kill('SIGTERM');
    const { exitCode } = await agent;
    expect(exitCode).toBe(0);
    expect(eventTypes()).toEqual(['flotilla.boot', 'flotilla.accepts', 'flotilla.grains']);
  });
});
