/** How operators elsewhere prove themselves, who is nobody, and how fast it ends. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetLayout } from '../../src/config/fleet-layout.ts';
import { issueOperatorCertificate, loadIssuingAuthority } from '../../src/pki/index.ts';
import type { Operator } from '../../src/client/contract/index.ts';
import type { Ran } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  askRaw,
  createRemoteFleet,
  type OperatorFiles,
  type RawOption,
  type RemoteFleet,
} from '../support/remote-fleet.ts';

let remote: RemoteFleet;
let serverName = '';
const files = {} as Record<'viewer' | 'admin', OperatorFiles>;
const inFleet = (...path: string[]) => join(remote.fleet.dir, ...path);
const scratch = (...path: string[]) => join(remote.fleet.scratch, ...path);
const errorOf = (ran: Ran) => ran.json<{ error: Record<string, string> }>().error;

beforeAll(async () => {
  remote = await createRemoteFleet();
  for (const role of ['viewer', 'admin'] as const) files[role] = await remote.addOperator(`a-${role}`, role);
  const { fleetId } = (await remote.fleet.cli(['coordinator', 'status', '--json'])).json();
  serverName = `coordinator.${fleetId}.flotilla`;
  await remote.fleet.addAgent('d-1');
  await remote.fleet.connected('d-1');
});
afterAll(() => remote?.fleet[Symbol.asyncDispose]());

/** The way of that operator to the port for certificates. */
const way = ({ certificate, key, authority }: OperatorFiles): RawOption => ({
  port: remote.ports.certificate,
  serverName,
  authority,
  certificate,
  key,
});

const operatorOf = async (name: string): Promise<Operator> => {
  const operators = (await remote.fleet.cli(['operator', 'list', '--json'])).json<Operator[]>();
  return operators.find((one) => one.name === name)!;
};

describe('revoked', () => {
  it('a running stream ends within a second, and says why', async () => {
    await remote.addOperator('eve', 'operator');
    const tails = ['eve', 'a-viewer'].map((who) => remote.startAs(who, ['event', 'tail', '--follow', '--json']));
    await eventually('both streams are open', async () => {
      const open = await Promise.all(['eve', 'a-viewer'].map(operatorOf));
      return open.every(({ connections }) => connections === 1);
    });
    const ended = tails[0]!.then((result) => ({ result, atMs: Date.now() }));
    const revoked = await remote.as('a-admin', ['operator', 'revoke', 'eve', '--reason', 'stolen', '--yes', '--json']);
    const atMs = Date.now();
    expect(revoked.json()).toMatchObject({ cutConnections: 1, operator: { name: 'eve' } });
    const { result, atMs: endedAtMs } = await ended;
    expect(endedAtMs - atMs).toBeLessThan(1_000);
    expect(result.exitCode).toBe(8);
    expect(JSON.parse(result.stdout.split('\n').at(-1)!)).toMatchObject({ error: { code: 'operator-revoked' } });

    const { connections } = await operatorOf('a-viewer');
    expect(connections).toBe(1);
    tails[1]!.kill('SIGINT');
    await tails[1];
    const again = await remote.as('eve', ['device', 'list', '--json']);
    expect([again.exitCode, errorOf(again).code]).toEqual([8, 'operator-revoked']);
  });

  it('a reader who does not read is cut as well', async () => {
    const operator = await remote.addOperator('deaf', 'viewer');
    const socket = connect({
      host: '127.0.0.1',
      port: remote.ports.certificate,
      servername: serverName,
      ca: await readFile(operator.authority),
      cert: await readFile(operator.certificate),
      key: await readFile(operator.key),
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.write('GET /v1/devices/watch HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('the stream is open', async () => (await operatorOf('deaf')).connections === 1);
    await remote.fleet.cli(['operator', 'revoke', 'deaf', '--reason', 'test', '--yes']);
    const atMs = Date.now();
    socket.resume();
    await closed;
    expect(Date.now() - atMs).toBeLessThan(1_000);
  });

  it('a TLS session from before is resumed, and refused', async () => {
    const operator = await remote.addOperator('ray', 'viewer');
    const first = await askRaw('GET', '/v1/self', way(operator));
    expect([first.status, first.reused]).toEqual([200, false]);
    const second = await askRaw('GET', '/v1/self', { ...way(operator), session: first.session! });
    expect([second.status, second.reused]).toEqual([200, true]);
    await remote.fleet.cli(['operator', 'revoke', 'ray', '--reason', 'test', '--yes']);
    const third = await askRaw('GET', '/v1/self', { ...way(operator), session: first.session! });
    expect([third.status, third.reused, third.body.error.code]).toEqual([403, true, 'operator-revoked']);
  });

  it('stays so after a restart, and one credential can end alone', async () => {
    const token = await remote.addToken('two', 'viewer', '--expires', '1h');
    const add = ['operator', 'add', 'two', '--token', '--expires', '1h', '--json'];
    const { token: other, credential } = (await remote.fleet.cli(add)).json();
    const at = { port: remote.ports.token, serverName, authority: files.viewer.authority };
    await remote.fleet.cli(['operator', 'revoke', 'two', '--only', credential.id, '--reason', 'x', '--yes']);
    expect((await askRaw('GET', '/v1/self', { ...at, token: other })).body.error.code).toBe('operator-revoked');
    expect((await askRaw('GET', '/v1/self', { ...at, token })).status).toBe(200);
    await remote.fleet.cli(['operator', 'revoke', 'two', '--reason', 'x', '--yes']);
    await remote.fleet.killCoordinator();
    await remote.fleet.startCoordinator();
    for (const one of [token, other]) {
      const refused = await askRaw('GET', '/v1/self', { ...at, token: one });
      expect([refused.status, refused.body.error.code]).toEqual([403, 'operator-revoked']);
    }
    // The first operator was put on record once: to revoke it lasts, too.
    await remote.fleet.cli(['operator', 'revoke', 'admin', '--reason', 'x', '--yes']);
    const layout = fleetLayout(remote.fleet.dir);
    const first = {
      certificate: layout.operatorCertificate,
      key: layout.operatorKey,
      authority: layout.authorityBundle,
    };
    const refused = await askRaw('GET', '/v1/self', way({ ...first, serial: '' }));
    expect(refused.body.error.code).toBe('operator-revoked');
  });
});

describe('nobody', () => {
  it('is a device, or an operator that is not on record', async () => {
    const { authority } = files.viewer;
    const device = {
      certificate: scratch('d-1', 'device.crt'),
      key: scratch('d-1', 'device.key'),
      authority,
      serial: '',
    };
    const asDevice = await askRaw('GET', '/v1/self', way(device));
    expect([asDevice.status, asDevice.body.error.code]).toEqual([403, 'not-an-operator']);

    const layout = fleetLayout(remote.fleet.dir);
    const issuing = await loadIssuingAuthority({
      certificateFile: layout.issuingCertificate,
      keyFile: layout.issuingKey,
    });
    const { fleetId } = issuing;
    const forged = await issueOperatorCertificate(issuing, {
      fleetId,
      name: 'a-admin',
      role: 'admin',
      nowMs: Date.now(),
    });
    await writeFile(scratch('forged.crt'), forged.certificatePem);
    await writeFile(scratch('forged.key'), forged.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const off = await askRaw(
      'GET',
      '/v1/self',
      way({ ...device, certificate: scratch('forged.crt'), key: scratch('forged.key') }),
    );
    expect([off.status, off.body.error.code]).toEqual([403, 'not-an-operator']);
  });

  it('is who has no certificate, or one of another fleet; that is the end of the handshake', async () => {
    const { certificate: _, key: __, ...without } = way(files.admin);
    await expect(askRaw('GET', '/v1/self', without)).rejects.toThrow();
    await remote.fleet.cli(['init', scratch('other'), '--no-passphrase', '--port', '0']);
    const other = fleetLayout(scratch('other'));
    const foreign = { ...way(files.admin), certificate: other.operatorCertificate, key: other.operatorKey };
    await expect(askRaw('GET', '/v1/self', foreign)).rejects.toThrow();
    // A token does not help on this port, and a certificate does not on the other.
    const token = await remote.addToken('tia', 'admin', '--expires', '1h');
    await expect(askRaw('GET', '/v1/self', { ...without, token })).rejects.toThrow();
    const both = await askRaw('GET', '/v1/self', { ...way(files.admin), token });
    expect([both.status, both.body.error.code]).toEqual([400, 'credential-ambiguous']);
    const wrongPort = await askRaw('GET', '/v1/self', { ...way(files.admin), port: remote.ports.token });
    expect([wrongPort.status, wrongPort.body.error.code]).toEqual([401, 'token-refused']);
  });

  it('is an operator where devices connect', async () => {
    const { certificate, key, authority } = files.admin;
    const socket = connect({
      host: '127.0.0.1',
      port: remote.fleet.port,
      servername: serverName,
      ca: await readFile(authority),
      cert: await readFile(certificate),
      key: await readFile(key),
      ALPNProtocols: ['flotilla/1'],
    });
    socket.on('error', () => undefined);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    await eventually('the gateway says why', async () =>
      (await remote.fleet.coordinatorLog()).includes('no-device-identity'),
    );
  });

  it('is a coordinator of another authority, whatever its name', async () => {
    const [host, port] = ['127.0.0.1', String(remote.ports.token)];
    const other = fleetLayout(scratch('other')).authorityBundle;
    await writeFile(scratch('some.token'), 'x'.repeat(60), { mode: 0o600 });
    const add = ['context', 'add', 'fooled', '--host', host, '--port', port, '--ca', other];
    await remote.fleet.cli([...add, '--token-file', scratch('some.token')]);
    const ran = await remote.as('fooled', ['device', 'list', '--json']);
    expect([ran.exitCode, errorOf(ran).code]).toEqual([6, 'coordinator-untrusted']);
  });
});

describe('a token', () => {
  const at = () => ({ port: remote.ports.token, serverName, authority: files.viewer.authority });

  it('ends: new requests are refused, and a running stream too', async () => {
    const token = await remote.addToken('brief', 'viewer', '--expires', '4s');
    const reply = await askRaw('GET', '/v1/self', { ...at(), token });
    expect(reply.body).toMatchObject({ actor: 'operator:brief', via: 'token' });
    // Ends by itself with the token.
    const { body } = await askRaw('GET', '/v1/devices/watch', { ...at(), token });
    expect(body.at(-1)).toMatchObject({ error: { code: 'token-expired' } });
    await remote.fleet.cli(['context', 'remove', 'brief']);
    const late = await askRaw('GET', '/v1/self', { ...at(), token });
    expect([late.status, late.body.error.code]).toEqual([403, 'token-expired']);
  });

  it('is good for so many requests, also after a crash', async () => {
    const token = await remote.addToken('thrice', 'viewer', '--expires', '1h', '--uses', '3');
    for (let use = 0; use < 3; use += 1) expect((await askRaw('GET', '/v1/self', { ...at(), token })).status).toBe(200);
    expect((await askRaw('GET', '/v1/self', { ...at(), token })).body.error.code).toBe('token-used-up');
  });

  it('is refused when a character is wrong, and is as unknown as one that never was', async () => {
    const token = await remote.addToken('near', 'viewer', '--expires', '1h');
    const near = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA');
    const replies = await Promise.all(
      [near, token.replace(/_[0-9a-f]{16}_/, '_0000000000000000_'), 'nonsense'].map((one) =>
        askRaw('GET', '/v1/self', { ...at(), token: one }),
      ),
    );
    expect(new Set(replies.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(replies[0]).toMatchObject({ status: 401, body: { error: { code: 'token-refused' } } });
  });

  it('makes no operators, nor does anybody more than he is', async () => {
    await remote.addToken('root', 'admin', '--expires', '1h');
    const made = await remote.as('root', [
      'operator',
      'add',
      'x',
      '--role',
      'viewer',
      '--token',
      '--expires',
      '1m',
      '--json',
    ]);
    expect([made.exitCode, errorOf(made).code]).toEqual([8, 'token-may-not-issue']);
    const long = await remote.as('a-admin', [
      'operator',
      'add',
      'x',
      '--role',
      'viewer',
      '--token',
      '--expires',
      '2d',
      '--json',
    ]);
    expect([long.exitCode, errorOf(long).code]).toEqual([6, 'token-too-long']);
    const other = await remote.as('a-admin', [
      'operator',
      'add',
      'a-viewer',
      '--role',
      'admin',
      '--token',
      '--expires',
      '1m',
      '--json',
    ]);
    expect([other.exitCode, errorOf(other).code]).toEqual([6, 'operator-role-differs']);
  });

  it('is nowhere but with its holder', async () => {
    const token = await remote.addToken('secret', 'viewer', '--expires', '1h');
    expect((await remote.as('secret', ['operator', 'whoami'])).exitCode).toBe(0);
    const secret = token.split('_').slice(2).join('_');
    expect(secret).toHaveLength(43);
    const held = [inFleet('run', 'coordinator.log'), scratch('config', 'flotilla', 'contexts.yaml')];
    for (const name of await readdir(inFleet('data')))
      if (name.startsWith('flotilla.db')) held.push(inFleet('data', name));
    for (const file of held) expect((await readFile(file)).includes(secret), file).toBe(false);
  });
});
