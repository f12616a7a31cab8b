import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { examine } from '../../../src/cli/doctor/examine.ts';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { fleetLayout } from '../../../src/config/fleet-layout.ts';
import { createFleet } from '../../../src/provision/create-fleet.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const yearMs = 365 * 86_400_000;

async function makeFleet(passphrase?: string) {
  const place = await temporaryDirectory();
  const option = { directory: `${place.path}/fleet`, fleetId: 'harbour', hosts: ['127.0.0.1'], port: 0, passphrase };
  await createFleet({ ...option, nowMs: Date.now() });
  const layout = fleetLayout(option.directory);
  return { layout, directory: option.directory, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

const of = (findings: Finding[], name: string) => findings.filter((finding) => finding.name === name);
const bad = (findings: Finding[]) => findings.filter(({ verdict }) => verdict === 'bad');

describe('doctor', () => {
  it('finds nothing bad in a new fleet, and says that the coordinator does not run', async () => {
    await using fleet = await makeFleet('correct horse');
    const findings = await examine(fleet.directory, Date.now());
    expect(bad(findings)).toEqual([]);
    expect(of(findings, 'coordinator')).toMatchObject([
      { verdict: 'warn', mend: 'flotilla coordinator start --detach' },
    ]);
    expect(of(findings, 'root key')).toMatchObject([{ verdict: 'ok' }]);
  });

  it('finds a key that others can read, and names the command that mends it', async () => {
    await using fleet = await makeFleet();
    await chmod(fleet.layout.issuingKey, 0o644);
    const [finding, ...rest] = bad(await examine(fleet.directory, Date.now()));
    expect(rest).toEqual([]);
    expect(finding?.detail).toContain('mode 0644');
    expect(finding?.mend).toContain(`chmod 600 ${fleet.layout.issuingKey}`);
  });

  it('finds that a file is of another fleet', async () => {
    await using fleet = await makeFleet();
    await using other = await makeFleet();
    await writeFile(fleet.layout.authorityBundle, await readFile(other.layout.authorityBundle));
    const [finding, ...rest] = bad(await examine(fleet.directory, Date.now()));
    expect([finding?.name, rest]).toEqual(['identity', []]);
    expect(finding?.detail).toContain('authority.crt');
  });

  it('finds certificates that have ended, and a clock that stands before the fleet was made', async () => {
    await using fleet = await makeFleet();
    const later = await examine(fleet.directory, Date.now() + 30 * yearMs);
    expect(bad(later).map(({ name }) => name)).toContain('certificates');
    const earlier = await examine(fleet.directory, 0);
    expect(of(earlier, 'clock')).toMatchObject([{ verdict: 'bad' }]);
  });

  it('finds a broken coordinator.yaml with its line, and missing keys', async () => {
    await using fleet = await makeFleet();
    await writeFile(fleet.layout.config, `${await readFile(fleet.layout.config, 'utf8')}\nnonsense: 1\n`);
    expect(of(await examine(fleet.directory, Date.now()), 'fleet')[0]).toMatchObject({
      verdict: 'bad',
      detail: expect.stringMatching(/coordinator\.yaml:\d+:1: unknown key nonsense/),
    });
  });

  it('finds that the keys are gone', async () => {
    await using fleet = await makeFleet();
    await rm(fleet.layout.pki, { recursive: true });
    await rm(fleet.layout.keys, { recursive: true });
    expect(bad(await examine(fleet.directory, Date.now())).map(({ name }) => name)).toEqual(['keys', 'certificates']);
  });

  it('finds that another program has the port', async () => {
    await using fleet = await makeFleet();
    const server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const text = await readFile(fleet.layout.config, 'utf8');
    await writeFile(fleet.layout.config, text.replace('port: 0', `port: ${port}`));
    const findings = await examine(fleet.directory, Date.now());
    server.close();
    expect(of(findings, 'port')).toMatchObject([{ verdict: 'bad', detail: expect.stringContaining('EADDRINUSE') }]);
  });

  it('finds that there is no fleet', async () => {
    await using place = await temporaryDirectory();
    expect(bad(await examine(place.path, Date.now()))).toMatchObject([{ name: 'fleet' }]);
  });
});
