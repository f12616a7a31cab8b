/** From no certificate to a connected device: tokens, manifests, and EST with programs that are not ours. */
import { X509Certificate, createPublicKey } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, enrollmentConfig, type TestFleet } from '../support/fleet.ts';
import { hasTools, toolPath } from '../support/system-tool.ts';

let fleet: TestFleet;
const at = (...path: string[]) => join(fleet.scratch, ...path);

beforeAll(async () => {
  fleet = await createFleet({ extra: enrollmentConfig });
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function must(args: string[]): Promise<any> {
  const ran = await fleet.cli([...args, '--json']);
  expect([ran.stdout, ran.exitCode]).toEqual([expect.any(String), 0]);
  return ran.json();
}

async function addToken(name: string, ...flags: string[]): Promise<string> {
  const { token } = await must(['enroll', 'token', 'add', '--out', at(name), ...flags]);
  return token.id;
}

const enroll = (id: string, token: string, ...flags: string[]) =>
  flotilla(['agent', 'enroll', at(id), '--id', id, '--token-file', at(token), '--json', ...flags]);

async function refusalOf(id: string, token: string, ...flags: string[]): Promise<string> {
  const ran = await enroll(id, token, ...flags);
  expect(ran.exitCode).not.toBe(0);
  return ran.json().error.code;
}

describe('a token', () => {
  it('lets a device in: enrolled, connected, tagged; and its key has not left', async () => {
    const id = await addToken('one.token', '--id', 'm-*', '--tag', 'ring=new', '--uses', '2');
    const ran = await enroll('m-1', 'one.token');
    expect([ran.stderr, ran.exitCode]).toEqual(['', 0]);
    await fleet.runAgent('m-1', at('m-1'));
    await fleet.connected('m-1');
    expect(await must(['device', 'show', 'm-1'])).toMatchObject({ state: 'accepted', tags: { ring: 'new' } });
    const [token] = await must(['enroll', 'token', 'list']);
    expect(token).toMatchObject({ id, uses: 1, maxUses: 2, state: 'active' });
    const events = (
      await fleet.cli(['event', 'tail', '--type', 'coordinator.enrolled', '--limit', '9', '--json'])
    ).rows();
    expect(events.at(-1)).toMatchObject({ deviceId: 'm-1', payload: { by: `token:${id}`, state: 'accepted' } });
  });

  it('gives a device whose answer was lost the same certificate, and is not used twice for it', async () => {
    await addToken('lost.token');
    const before = (await enroll('m-2', 'lost.token')).json();
    await rm(at('m-2', 'device.crt'));
    await rm(at('m-2', 'authority.crt'));
    const after = (await enroll('m-2', 'lost.token')).json();
    expect(after.serialHex).toBe(before.serialHex);
    expect((await enroll('m-2', 'lost.token')).json().written).toEqual([]);
    expect(await refusalOf('m-3', 'lost.token')).toBe('enrollment-token-used-up');
  });

  it('lets nobody in for another id, after its end, when it is revoked, or in place of a known device', async () => {
    const id = await addToken('narrow.token', '--id', 'x-*', '--uses', '9');
    expect(await refusalOf('m-4', 'narrow.token')).toBe('enrollment-id-not-allowed');
    const short = await addToken('short.token', '--expires', '1s', '--uses', '9');
    await eventually('it has ended', async () => {
      const tokens = await must(['enroll', 'token', 'list']);
      return tokens.find((token: any) => token.id === short).state === 'expired';
    });
    expect(await refusalOf('m-4', 'short.token')).toBe('enrollment-token-expired');
    await must(['cert', 'issue', 'x-1', '--out', at('x-1-issued')]);
    expect(await refusalOf('x-1', 'narrow.token')).toBe('enrollment-device-known');
    await must(['enroll', 'token', 'revoke', id]);
    expect(await refusalOf('x-2', 'narrow.token')).toBe('enrollment-token-revoked');
    expect((await must(['device', 'list'])).map((device: any) => device.id)).not.toContain('m-4');
  });

  it('is refused by a device when its fleet is another one', async () => {
    await using other = await createFleet({ extra: enrollmentConfig });
    const { text } = (await other.cli(['enroll', 'token', 'add', '--json'])).json();
    const own = (await fleet.cli(['enroll', 'token', 'add', '--json'])).json().text;
    // The body of ours, the secret of theirs; then the body of theirs with our address in it.
    const [, ...rest] = text.slice('flotilla-enroll-1.'.length).split('.');
    const [body, ...ownRest] = own.slice('flotilla-enroll-1.'.length).split('.');
    await writeFile(at('wrong-secret.token'), `flotilla-enroll-1.${body}.${rest.join('.')}\n`, { mode: 0o600 });
    expect(await refusalOf('m-5', 'wrong-secret.token')).toBe('enrollment-unauthorized');
    const address = JSON.parse(Buffer.from(body, 'base64url').toString());
    const theirs = JSON.parse(
      Buffer.from(text.slice('flotilla-enroll-1.'.length).split('.')[0], 'base64url').toString(),
    );
    const mixed = Buffer.from(JSON.stringify({ ...address, authorities: theirs.authorities })).toString('base64url');
    await writeFile(at('wrong-root.token'), `flotilla-enroll-1.${mixed}.${ownRest.join('.')}\n`, { mode: 0o600 });
    const ran = await enroll('m-5', 'wrong-root.token');
    expect([ran.exitCode, ran.json().error.code]).toEqual([7, 'enrollment-unreachable']);
  });

  it('binds grains: a device that reports another value is kept out until an operator lets it in', async () => {
    await addToken('bound.token', '--grain', 'site=harbour');
    expect((await enroll('b-1', 'bound.token')).exitCode).toBe(0);
    await writeFile(at('b-1', 'grains.yaml'), 'site: depot\n');
    await fleet.runAgent('b-1', at('b-1'));
    await eventually('it is kept out', async () => (await must(['device', 'show', 'b-1'])).state === 'quarantined');
    const rows = (
      await fleet.cli(['event', 'tail', '--type', 'coordinator.quarantined', '--limit', '9', '--json'])
    ).rows();
    expect(rows.at(-1)).toMatchObject({
      deviceId: 'b-1',
      payload: { reason: 'bound-grain', grain: 'site', expected: 'harbour', seen: 'depot' },
    });
    await must(['device', 'accept', 'b-1']);
    await fleet.connected('b-1');
    expect((await must(['device', 'show', 'b-1'])).state).toBe('accepted');
  });

  it('makes devices wait where it was said, and an operator decides by what they claim', async () => {
    await addToken('wait.token', '--pending', '--uses', '3');
    const sites = { 'w-1': 'quay', 'w-2': 'mole', 'w-3': 'mole' };
    for (const [id, site] of Object.entries(sites)) {
      expect((await enroll(id, 'wait.token')).exitCode).toBe(0);
      await writeFile(at(id, 'grains.yaml'), `site: ${site}\n`);
      await fleet.runAgent(id, at(id));
    }
    const stateOf = async (id: string): Promise<string> => (await must(['device', 'show', id])).state;
    expect(await stateOf('w-1')).toBe('pending');
    for (const id of Object.keys(sites)) await fleet.connected(id);
    expect(await must(['device', 'accept', 'G@site:quay'])).toMatchObject({ changed: ['w-1'] });
    expect(await must(['device', 'reject', 'G@site:mole and w-2'])).toMatchObject({ changed: ['w-2'] });
    const why = ['--reason', 'who are you'];
    expect(await must(['device', 'quarantine', 'G@site:mole and not w-2', ...why])).toMatchObject({ changed: ['w-3'] });
    expect(await Promise.all(Object.keys(sites).map(stateOf))).toEqual(['accepted', 'rejected', 'quarantined']);
    const none = await fleet.cli(['device', 'accept', 'G@site:nowhere', '--json']);
    expect([none.exitCode, none.json().error.code]).toEqual([3, 'device-none-matched']);
  });

  it('of one use lets in one of two devices that come at once', async () => {
    const id = await addToken('race.token');
    const ran = await Promise.all(['r-1', 'r-2'].map((device) => enroll(device, 'race.token')));
    expect(ran.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 6]);
    const [lost, won] = ran[0]!.exitCode === 0 ? ['r-2', 'r-1'] : ['r-1', 'r-2'];
    const { error } = ran.find(({ exitCode }) => exitCode !== 0)!.json();
    expect(error).toMatchObject({ code: 'enrollment-token-used-up', seen: expect.stringContaining(id) });
    expect((await readdir(at(lost))).toSorted()).toEqual(['device.key']);
    expect((await must(['device', 'show', won])).state).toBe('accepted');
    expect((await fleet.cli(['device', 'show', lost, '--json'])).exitCode).toBe(2);
  });

  it('outlives a crash of the coordinator, with what it was used', async () => {
    const id = await addToken('crash.token', '--uses', '2', '--id', 'k-*');
    expect((await enroll('k-1', 'crash.token')).exitCode).toBe(0);
    const body = (await readFile(at('crash.token'), 'utf8')).slice('flotilla-enroll-1.'.length).split('.');
    await fleet.killCoordinator();
    await fleet.startCoordinator();
    expect((await must(['enroll', 'token', 'list'])).find((token: any) => token.id === id).uses).toBe(1);
    // The listener took another port: the token is told the new one.
    const { enrollment } = await must(['coordinator', 'status']);
    const told = { ...JSON.parse(Buffer.from(body[0]!, 'base64url').toString()), port: enrollment.port };
    const text = `flotilla-enroll-1.${Buffer.from(JSON.stringify(told)).toString('base64url')}.${body.slice(1).join('.')}`;
    await writeFile(at('moved.token'), text, { mode: 0o600 });
    expect((await enroll('k-2', 'moved.token')).exitCode).toBe(0);
    expect(await refusalOf('k-3', 'moved.token')).toBe('enrollment-token-used-up');
  });
});

describe('a manifest', () => {
  it('says what a device must show, and gives it its tags', async () => {
    await writeFile(at('f.csv'), 'id,serial,tag.ring\nf-1,SN-1,canary\nf-2,SN-2,\n');
    expect(await must(['enroll', 'manifest', 'import', at('f.csv'), '--dry-run'])).toMatchObject({ dryRun: true });
    expect(await must(['enroll', 'manifest', 'list'])).toEqual([]);
    expect(await must(['enroll', 'manifest', 'import', at('f.csv')])).toMatchObject({ added: ['f-1', 'f-2'] });
    expect(await must(['enroll', 'manifest', 'import', at('f.csv')])).toMatchObject({ unchanged: ['f-1', 'f-2'] });
    await addToken('f.token', '--uses', '5');
    expect(await refusalOf('f-1', 'f.token')).toBe('enrollment-serial-mismatch');
    expect(await refusalOf('f-1', 'f.token', '--serial', 'SN-2')).toBe('enrollment-serial-mismatch');
    expect((await enroll('f-1', 'f.token', '--serial', 'SN-1')).exitCode).toBe(0);
    expect((await must(['device', 'show', 'f-1'])).tags).toEqual({ ring: 'canary' });
    const [first, second] = await must(['enroll', 'manifest', 'list']);
    expect([first.enrolledAtMs, second.enrolledAtMs]).toEqual([expect.any(Number), undefined]);
    expect(await must(['enroll', 'manifest', 'remove', 'f-2'])).toEqual({ removed: ['f-2'] });
  });

  it('tells all problems with their lines, and takes nothing', async () => {
    await writeFile(at('bad.csv'), 'id,colour\nf-8,red\nf-8,blue\nF 9,x\n');
    const ran = await fleet.cli(['enroll', 'manifest', 'import', at('bad.csv'), '--json']);
    expect(ran.exitCode).toBe(2);
    expect(ran.json().error.problems.map(({ line }: any) => line)).toEqual([1, 3, 4]);
    expect((await must(['enroll', 'manifest', 'list'])).map((row: any) => row.deviceId)).not.toContain('f-8');
  });
});

describe('the application', () => {
  it('decides after the token: yes, no, later, as pending; and its silence is a no', async () => {
    await using own = await createFleet({
      extra: `${enrollmentConfig}  hook: { command: [sh, ask.sh], timeoutMs: 1000 }\n`,
    });
    // Answers by the id; "later" the second time it is asked.
    const script = `read -r question
case "$question" in
  *'"h-yes"'*) echo '{"decision":"allow"}' ;;
  *'"h-no"'*) echo '{"decision":"deny","reason":"not paid"}' ;;
  *'"h-held"'*) echo '{"decision":"quarantine"}' ;;
  *'"h-later"'*) if [ -e asked ]; then echo '{"decision":"allow"}'; else touch asked; echo '{"decision":"deny","retryAfterSeconds":1}'; fi ;;
  *) sleep 60 ;;
esac
`;
    await writeFile(join(own.dir, 'ask.sh'), script);
    expect((await own.cli(['enroll', 'token', 'add', '--uses', '4', '--out', at('hook.token')])).exitCode).toBe(0);
    const ran = await Promise.all(
      ['h-yes', 'h-no', 'h-held', 'h-later', 'h-silent'].map((id) => enroll(id, 'hook.token')),
    );
    expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 6, 0, 0, 5]);
    expect(ran[1]!.json().error).toMatchObject({ code: 'enrollment-denied', seen: 'not paid' });
    expect(ran[4]!.json().error.code).toBe('enrollment-hook-failed');
    const devices = (await own.cli(['device', 'list', '--json'])).json<{ id: string; state: string }[]>();
    expect(devices.map(({ id, state }) => [id, state])).toEqual([
      ['h-held', 'pending'],
      ['h-later', 'accepted'],
      ['h-yes', 'accepted'],
    ]);
    expect((await own.cli(['enroll', 'token', 'list', '--json'])).json()[0].uses).toBe(3);
  });
});

const estTools = hasTools('EST with curl and openssl', 'curl', 'openssl');
describe.skipIf(!estTools)('EST, as curl and openssl speak it', () => {
  const tool = (file: string, args: string[], option = {}) =>
    execa(file, args, { cwd: fleet.scratch, env: { PATH: toolPath }, reject: false, ...option });
  const openssl = async (...args: string[]) => {
    const ran = await tool('openssl', args);
    if (ran.exitCode !== 0) throw new Error(`openssl ${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };

  async function curl(operation: string, ...args: string[]): Promise<{ status: number; body: string }> {
    const { fleetId, enrollment } = await must(['coordinator', 'status']);
    const name = `coordinator.${fleetId}.flotilla`;
    const ran = await tool('curl', [
      '-sS',
      '--cacert',
      join(fleet.dir, 'pki', 'root.crt'),
      '--resolve',
      `${name}:${enrollment.port}:127.0.0.1`,
      `https://${name}:${enrollment.port}/.well-known/est/${operation}`,
      '-w',
      '\n%{http_code}',
      ...args,
    ]);
    const lines = ran.stdout.split('\n');
    return { status: Number(lines.pop()), body: lines.join('\n') };
  }
  const csr = async (name: string, id: string, ...kind: string[]) => {
    await openssl(
      'req',
      '-new',
      ...kind,
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-subj',
      `/CN=${id}`,
      '-out',
      `${name}.csr`,
    );
    await openssl('req', '-in', `${name}.csr`, '-outform', 'DER', '-out', `${name}.der`);
    await openssl('base64', '-in', `${name}.der`, '-out', `${name}.b64`);
  };
  const post = (name: string) => ['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${name}.b64`];
  const save = async (name: string, body: string) => {
    await writeFile(at(`${name}.p7.b64`), body);
    await openssl('base64', '-d', '-in', `${name}.p7.b64`, '-out', `${name}.p7`);
    await openssl('pkcs7', '-inform', 'DER', '-in', `${name}.p7`, '-print_certs', '-out', `${name}.crt`);
  };
  const credentials = async (token: string) =>
    (await readFile(at(token), 'utf8')).trim().split('.').slice(-2).join(':');

  it('tells the authorities to anybody', async () => {
    const { status, body } = await curl('cacerts');
    expect(status).toBe(200);
    await save('authorities', body);
    const told = await readFile(at('authorities.crt'), 'utf8');
    for (const file of ['root.crt', 'issuing.crt']) {
      expect(told).toContain((await readFile(join(fleet.dir, 'pki', file), 'utf8')).trim());
    }
  });

  it.each([
    ['an EC key', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['an RSA key', ['-newkey', 'rsa:2048']],
  ])('gives %s a certificate that connects, and renews it', async (what, kind) => {
    const id = what.includes('RSA') ? 'est-rsa' : 'est-ec';
    await addToken(`${id}.token`);
    await csr(id, id, ...kind);
    const { status, body } = await curl('simpleenroll', ...post(id), '-u', await credentials(`${id}.token`));
    expect([status, body]).toEqual([200, expect.any(String)]);
    await save(id, body);
    expect(
      await openssl(
        'verify',
        '-CAfile',
        join(fleet.dir, 'pki', 'root.crt'),
        '-untrusted',
        join(fleet.dir, 'pki', 'issuing.crt'),
        `${id}.crt`,
      ),
    ).toContain('OK');

    await mkdir(at(id));
    await must(['agent', 'init', at(`${id}-conf`), '--id', id, '--coordinator', `127.0.0.1:${fleet.port}`]);
    await copyFile(at(`${id}-conf`, 'agent.yaml'), at(id, 'agent.yaml'));
    const pem = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\n/.exec(
      await readFile(at(`${id}.crt`), 'utf8'),
    )![0];
    await writeFile(at(id, 'device.crt'), pem);
    await writeFile(at(id, 'device.key'), await readFile(at(`${id}.key`)), { mode: 0o600 });
    await copyFile(join(fleet.dir, 'pki', 'authority.crt'), at(id, 'authority.crt'));
    await fleet.runAgent(id, at(id));
    await fleet.connected(id);

    const next = `${id}-next`;
    await csr(next, id, ...kind);
    const shown = ['--cert', at(id, 'device.crt'), '--key', at(`${id}.key`)];
    const renewed = await curl('simplereenroll', ...post(next), ...shown);
    expect(renewed.status).toBe(200);
    await save(next, renewed.body);
    const certificate = new X509Certificate(await readFile(at(`${next}.crt`)));
    expect(certificate.subject).toBe(`CN=${id}`);
    const own = await openssl('pkey', '-in', `${next}.key`, '-pubout');
    expect(createPublicKey(own).equals(certificate.publicKey)).toBe(true);

    expect((await curl('simplereenroll', ...post(next))).status).toBe(403);
    await must(['cert', 'revoke', id, '--reason', 'test', '--yes']);
    const refused = await curl('simplereenroll', ...post(next), ...shown);
    expect([refused.status, JSON.parse(refused.body).error.code]).toEqual([409, 'enrollment-device-state']);
  });

  it('lets a key in that a manifest names, without a token', async () => {
    await csr('named', 'named-1', '-newkey', 'rsa:2048');
    await openssl('req', '-in', 'named.csr', '-pubkey', '-noout', '-out', 'named.pub');
    await openssl('pkey', '-pubin', '-in', 'named.pub', '-outform', 'DER', '-out', 'named.spki');
    const digest = /([0-9a-f]{64})/.exec(await openssl('dgst', '-sha256', 'named.spki'))![1];
    expect((await curl('simpleenroll', ...post('named'))).status).toBe(401);
    await writeFile(at('named.yaml'), `- id: named-1\n  key: ${digest}\n  tags: {from: factory}\n`);
    await must(['enroll', 'manifest', 'import', at('named.yaml')]);
    expect((await curl('simpleenroll', ...post('named'))).status).toBe(200);
    expect((await must(['device', 'show', 'named-1'])).tags).toEqual({ from: 'factory' });
  });

  it('refuses the rest with the right status, and goes on', async () => {
    await addToken('rest.token', '--uses', '9');
    const user = ['-u', await credentials('rest.token')];
    await writeFile(at('garbage.b64'), 'AAAA');
    await writeFile(at('json.b64'), '{"csr":1}');
    await writeFile(at('huge.b64'), 'QUJD'.repeat(20_000));
    await csr('weak', 'weak-1', '-newkey', 'rsa:1024');
    await csr('name', 'Not An Id', '-newkey', 'rsa:2048');
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'stranger.key',
      '-out',
      'stranger.crt',
      '-subj',
      '/CN=m-1',
      '-days',
      '2',
    );
    expect((await curl('simpleenroll', ...post('garbage'), ...user)).status).toBe(400);
    expect((await curl('simpleenroll', ...post('json'), ...user)).status).toBe(400);
    expect((await curl('simpleenroll', ...post('huge'), ...user)).status).toBe(400);
    expect((await curl('simpleenroll', ...post('weak'), ...user)).status).toBe(409);
    expect((await curl('simpleenroll', ...post('name'), ...user)).status).toBe(400);
    expect((await curl('simpleenroll', ...post('name'), '-u', 'a:b')).status).toBe(400);
    expect((await curl('simpleenroll', '-H', 'Authorization: Bearer x', ...post('weak'))).status).toBe(401);
    expect((await curl('serverkeygen', '-X', 'POST')).status).toBe(404);
    expect((await curl('cacerts', '-X', 'POST')).status).toBe(400);
    // A certificate of somebody else ends the connection.
    expect((await curl('cacerts', '--cert', 'stranger.crt', '--key', 'stranger.key')).status).toBe(0);
    expect((await curl('csrattrs')).status).toBe(204);
    expect((await curl('cacerts')).status).toBe(200);
  });
});
