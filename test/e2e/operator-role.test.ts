/** What each role may do, over every route and from the command line. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../src/coordinator/api/route-list.ts';
import { mayDo } from '../../src/coordinator/operator/right.ts';
import { operatorRoles, type OperatorRole } from '../../src/role.ts';
import type { Ran } from '../support/cli.ts';
import {
  askRaw,
  createRemoteFleet,
  type OperatorFiles,
  type RawOption,
  type RemoteFleet,
} from '../support/remote-fleet.ts';

let remote: RemoteFleet;
let serverName = '';
const files = {} as Record<OperatorRole, OperatorFiles>;
const inFleet = (...path: string[]) => join(remote.fleet.dir, ...path);
const scratch = (...path: string[]) => join(remote.fleet.scratch, ...path);
const errorOf = (ran: Ran) => ran.json<{ error: Record<string, string> }>().error;

beforeAll(async () => {
  remote = await createRemoteFleet();
  for (const role of operatorRoles) files[role] = await remote.addOperator(`a-${role}`, role);
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

describe('every route and every role', () => {
  // No route has such a field: who may use it is told so, and nothing is done.
  const probe = '?no-such-field=1';
  const cases = routes.flatMap((route) => operatorRoles.map((role) => ({ route, role })));

  it.each(cases)('$route.method $route.path as $role', async ({ route: { method, path, right }, role }) => {
    const filled = path.replaceAll(/:(\w+)/g, 'x1');
    const { status, body } = await askRaw(method, `${filled}${probe}`, way(files[role]));
    if (mayDo(role, right)) {
      // A number in the path is looked at before the query.
      expect([status, body.error.code]).toEqual([400, 'api-request-malformed']);
    } else {
      expect([status, body.error.code, body.error.fault]).toEqual([403, 'role-forbidden', 'forbidden']);
      expect(body.error.seen).toBe(`operator:a-${role} has the role ${role}`);
    }
  });

  it('is nothing for a path that no route has', async () => {
    expect((await askRaw('GET', '/v1/devices/x/y/z', way(files.admin))).status).toBe(404);
    expect((await askRaw('HEAD', '/v1/status', way(files.admin)).catch(() => ({ status: 404 }))).status).toBe(404);
  });
});

describe('a role from the command line', () => {
  const may: [OperatorRole, string[]][] = [
    ['viewer', ['device', 'list']],
    ['viewer', ['event', 'tail', '--limit', '1', '--from', '1']],
    ['technician', ['device', 'tag', 'd-1', 'site=bench']],
    ['technician', ['device', 'accept', 'd-1']],
    ['operator', ['run', 'd-1', '--', 'echo', 'hello']],
    ['operator', ['event', 'handle', 'h-1', '--type', 'coordinator.pending', '--once', '--', 'cat']],
    ['admin', ['operator', 'list']],
    ['admin', ['coordinator', 'status']],
  ];
  it.each(may)('%s may %j', async (role, args) => {
    const ran = await remote.as(`a-${role}`, args);
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  });

  const mayNot: [OperatorRole, string[], string][] = [
    ['viewer', ['device', 'tag', 'd-1', 'site=bench'], 'the role technician or operator or admin'],
    ['viewer', ['run', 'd-1', '--', 'true'], 'the role operator or admin'],
    ['viewer', ['event', 'tail', '--consumer', 'c-1', '--limit', '1'], 'the role operator or admin'],
    ['technician', ['run', 'd-1', '--', 'true'], 'the role operator or admin'],
    ['operator', ['device', 'accept', 'd-1'], 'the role technician or admin'],
    ['operator', ['rollout', 'start', 'p/1.0.0', 'd-1'], 'the role release or admin'],
    ['release', ['run', 'd-1', '--', 'true'], 'the role operator or admin'],
    ['release', ['operator', 'list'], 'the role admin'],
    ['operator', ['cert', 'revoke', 'd-1', '--reason', 'x', '--yes'], 'the role admin'],
    ['operator', ['coordinator', 'stop'], 'the role admin'],
  ];
  it.each(mayNot)('%s may not %j, and exits 8', async (role, args, expected) => {
    const end = args.includes('--') ? args.indexOf('--') : args.length;
    const ran = await remote.as(`a-${role}`, args.toSpliced(end, 0, '--json'));
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(8);
    expect(errorOf(ran)).toMatchObject({ code: 'role-forbidden', expected });
  });

  it('is described by the coordinator as the command does without one', async () => {
    const printed = await remote.fleet.cli(['coordinator', 'openapi', '--json']);
    expect(printed.exitCode, printed.stderr).toBe(0);
    const served = await askRaw('GET', '/v1/openapi.json', way(files.viewer));
    expect(served.body).toEqual(printed.json());
  });

  it('is what the audit and the records say', async () => {
    const jobs = (await remote.as('a-viewer', ['job', 'list', '--json'])).json();
    expect(jobs).toMatchObject([{ submittedBy: 'operator:a-operator' }]);
    const audited = (await remote.fleet.cli(['audit', 'show', '--json'])).stdout;
    expect(audited).toMatch(/"actor":"operator:a-operator","role":"operator","from":"127\.0\.0\.1"/);
    expect(audited).toMatch(/"actor":"operator:a-viewer".*"result":"forbidden"/);
  });
});

describe('a bundle', () => {
  beforeAll(async () => {
    await writeFile(scratch('data.bin'), Buffer.alloc(3_000_000, 7));
    const conf = 'meta-product = "p"\nmeta-version = "1.0.0"\nfile-resource data.bin { host-path = "data.bin" }\n';
    await writeFile(scratch('p.conf'), `${conf}task complete { on-resource data.bin { raw_write(0) } }\n`);
    const key = inFleet('keys', 'firmware.priv');
    const built = await remote.fleet.cli([
      'firmware',
      'build',
      '-f',
      scratch('p.conf'),
      '-o',
      scratch('p.fw'),
      '--key',
      key,
    ]);
    expect(built.exitCode, built.stderr).toBe(0);
  });

  it('is published from elsewhere by who may, with a token too', async () => {
    await remote.addToken('ci', 'release', '--expires', '1h');
    const refused = await remote.as('a-operator', ['release', 'publish', scratch('p.fw'), '--json']);
    expect([refused.exitCode, errorOf(refused).code]).toEqual([8, 'role-forbidden']);
    const published = await remote.as('ci', ['release', 'publish', scratch('p.fw'), '--json']);
    expect(published.exitCode, published.stdout).toBe(0);
    expect(published.json()).toMatchObject({ product: 'p', publishedBy: 'operator:ci' });
  });

  it('does not leave before it is known that its sender may send it', async () => {
    const options = { ...way(files.viewer), ALPNProtocols: ['http/1.1'] };
    const socket = connect({
      host: '127.0.0.1',
      port: options.port,
      servername: serverName,
      ca: await readFile(options.authority),
      cert: await readFile(options.certificate!),
      key: await readFile(options.key!),
    });
    const head = 'PUT /v1/releases?channel=stable HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n';
    socket.write(`${head}Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1.1 403 /);
    expect(text).not.toContain('100 Continue');
  });
});
