/** Strangers at the door: each costs its own connection and one log line, and the fleet goes on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await createFleet({ gateways: 2 });
  await fleet.addAgent('honest');
  await fleet.connected('honest');
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

/** Lines of the coordinator's log that speak of a refused or ended stranger from this address. */
async function linesAbout(address: string): Promise<Record<string, unknown>[]> {
  const text = await fleet.coordinatorLog();
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(address))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Debian's openssl as the stranger; resolves when the coordinator has hung up, with the local port it used. */
async function sClient(extra: string[]): Promise<{ output: string }> {
  const ran = await execa(
    'openssl',
    [
      's_client', '-connect', `127.0.0.1:${fleet.port}`, '-tls1_3', '-alpn', 'flotilla/1', '-ign_eof', '-brief',
      '-CAfile', join(fleet.scratch, 'honest', 'authority.crt'), ...extra,
    ], // prettier-ignore
    { reject: false, all: true, timeout: 20_000, stdin: 'ignore' },
  );
  expect(ran.timedOut).toBe(false);
  return { output: ran.all };
}

async function newLines(act: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const before = (await linesAbout('127.0.0.1')).length;
  await act();
  await eventually('a log line', async () => (await linesAbout('127.0.0.1')).length > before);
  // A second line would follow at once: give it the time of a whole status round trip through the core.
  await fleet.cli(['coordinator', 'status', '--json']);
  return (await linesAbout('127.0.0.1')).slice(before);
}

async function honestIsConnected(): Promise<void> {
  const device = (await fleet.cli(['device', 'show', 'honest', '--json'])).json();
  expect(device.connected).toBe(true);
}

describe('the door of the coordinator', () => {
  it('turns away a client without a certificate', async () => {
    const lines = await newLines(() => sClient([]));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ reason: 'no-certificate' });
    await honestIsConnected();
  });

  it("turns away a stranger's certificate of the same names", async () => {
    const key = join(fleet.scratch, 'stranger.key');
    const certificate = join(fleet.scratch, 'stranger.crt');
    await execa('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
      '-out', certificate, '-days', '30', '-subj', '/CN=honest',
      '-addext', 'subjectAltName=URI:flotilla://fleet/device/honest', '-addext', 'extendedKeyUsage=clientAuth',
    ]); // prettier-ignore
    const lines = await newLines(() => sClient(['-cert', certificate, '-key', key]));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ reason: 'unknown-authority' });
    await honestIsConnected();
  });

  it('turns away a revoked certificate, by the word and the next handshake', async () => {
    const out = join(fleet.scratch, 'stolen');
    expect((await fleet.cli(['cert', 'issue', 'stolen', '--out', out, '--json'])).exitCode).toBe(0);
    const revoked = await fleet.cli(['cert', 'revoke', 'stolen', '--reason', 'stolen from a van', '--yes', '--json']);
    expect(revoked.exitCode).toBe(0);
    const lines = await newLines(() => sClient(['-cert', join(out, 'device.crt'), '-key', join(out, 'device.key')]));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ reason: 'revoked' });
    await honestIsConnected();
  });

  it.each([
    ['random bytes', () => Buffer.from('5bd1e9ff00aa7c3344', 'hex')],
    ['a frame that announces four gigabytes', () => Buffer.from('4fffffffff', 'hex')],
    ['an event before HELLO', () => Buffer.from('4301020300', 'hex')],
    ['a megabyte of zeros', () => Buffer.alloc(1_048_576)],
  ])('an authenticated client that sends %s costs its own connection', async (name, garbage) => {
    const id = `noisy-${name.replaceAll(/[^a-z]+/g, '-')}`;
    const out = join(fleet.scratch, id);
    expect((await fleet.cli(['cert', 'issue', id, '--out', out, '--json'])).exitCode).toBe(0);
    const lines = await newLines(async () => {
      const socket = await dial(out);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {}); // a reset is as good as an end
      socket.write(garbage());
      await closed;
    });
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines[0])).toMatch(/protocol|frame|hello/i);
    await honestIsConnected();
  });

  it('cuts a connected device within a second of its revocation, and refuses it afterwards', async () => {
    const thief = await fleet.addAgent('thief');
    await fleet.connected('thief');
    const revoked = await fleet.cli(['cert', 'revoke', 'thief', '--reason', 'sold on', '--yes', '--json']);
    const revokedAtMs = revoked.json().revoked[0].revokedAtMs as number;
    const cutAtMs = await eventually('the disconnect is logged', async () => {
      const rows = (await fleet.cli(['event', 'tail', '--type', 'coordinator.disconnected', '--json'])).rows();
      return rows.find((row) => row.deviceId === 'thief')?.receivedAtMs as number | undefined;
    });
    expect(cutAtMs - revokedAtMs).toBeLessThan(1000);
    await eventually('the agent was told why', async () => /revoked/.test(await thief.log()));
    expect((await fleet.cli(['device', 'show', 'thief', '--json'])).json()).toMatchObject({
      connected: false,
      state: 'revoked',
    });
    await honestIsConnected();
  });
});

async function dial(dir: string): Promise<TLSSocket> {
  const [key, cert, ca] = await Promise.all(
    ['device.key', 'device.crt', 'authority.crt'].map((name) => readFile(join(dir, name))),
  );
  const socket = connect({
    host: '127.0.0.1',
    port: fleet.port,
    key: key!,
    cert: cert!,
    ca: ca!,
    ALPNProtocols: ['flotilla/1'],
    minVersion: 'TLSv1.3',
  });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  socket.removeAllListeners('error');
  return socket;
}
