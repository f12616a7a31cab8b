/** A fleet whose API also listens on TLS, and operators who use it. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import type { CoordinatorStatus } from '../../src/client/contract/index.ts';
import type { OperatorRole } from '../../src/role.ts';
import { start, type Ran } from './cli.ts';
import { createFleet, type TestFleet } from './fleet.ts';

export interface RemoteFleet {
  fleet: TestFleet;
  ports: { certificate: number; token: number };
  /** A context of that name for a new operator with a certificate. */
  addOperator(name: string, role: OperatorRole): Promise<OperatorFiles>;
  /** A context of that name for a new operator with a token; returns the token. */
  addToken(name: string, role: OperatorRole, ...flags: string[]): Promise<string>;
  /** A command as somebody, outside of the fleet's folder. */
  as(context: string, args: string[]): Promise<Ran>;
  startAs(context: string, args: string[]): ReturnType<typeof start>;
}

export interface OperatorFiles {
  certificate: string;
  key: string;
  authority: string;
  serial: string;
}

/** @param limits of api: limits: */
export async function createRemoteFleet(limits: Record<string, number> = {}): Promise<RemoteFleet> {
  const address = '{ host: 127.0.0.1, port: 0 }';
  const plenty = { callerPerSecond: 10_000, callerBurst: 10_000, addressPerSecond: 10_000, addressBurst: 100_000 };
  const api = `api:\n  listen: ${address}\n  tokenListen: ${address}\n  limits: ${JSON.stringify({ ...plenty, ...limits })}\n`;
  const fleet = await createFleet({ configure: (yaml) => yaml.replace(/^api:\n(?:[ #].*\n)*/m, api) });
  const must = async (args: string[]): Promise<Ran> => {
    const ran = await fleet.cli(args);
    if (ran.exitCode !== 0) throw new Error(`${args.join(' ')}\n${ran.stdout}${ran.stderr}`);
    return ran;
  };
  const status = (await must(['coordinator', 'status', '--json'])).json<CoordinatorStatus>();
  const ports = { certificate: status.api.certificate!.port, token: status.api.token!.port };
  // Contexts remember the ports: a restart must come back on them.
  const config = join(fleet.dir, 'coordinator.yaml');
  const text = await readFile(config, 'utf8');
  const fixed = text
    .replace('port: 0 }', `port: ${ports.certificate} }`)
    .replace('port: 0 }', `port: ${ports.token} }`);
  await writeFile(config, fixed);
  const env = { XDG_CONFIG_HOME: join(fleet.scratch, 'config'), FLOTILLA_FLEET_DIR: '' };
  const to = (kind: keyof typeof ports) => ['--host', '127.0.0.1', '--port', String(ports[kind])];
  return {
    fleet,
    ports,
    async addOperator(name, role) {
      const out = join(fleet.scratch, `operator-${name}`);
      const added = await must(['operator', 'add', name, '--role', role, '--out', out, '--json']);
      const { files, credential } = added.json();
      const { certificate, key, authority } = files;
      await must([
        'context',
        'add',
        name,
        ...to('certificate'),
        '--ca',
        authority,
        '--cert',
        certificate,
        '--key',
        key,
      ]);
      return { certificate, key, authority, serial: credential.id };
    },
    async addToken(name, role, ...flags) {
      const out = join(fleet.scratch, `token-${name}`);
      await must(['operator', 'add', name, '--role', role, '--token', '--out', out, ...flags]);
      const [token, authority] = [join(out, `${name}.token`), join(out, 'authority.crt')];
      await must(['context', 'add', name, ...to('token'), '--ca', authority, '--token-file', token]);
      return (await readFile(token, 'utf8')).trim();
    },
    as: (context, args) => fleet.cli(args, { cwd: '/', env: { ...env, FLOTILLA_CONTEXT: context } }),
    startAs: (context, args) => start(args, { cwd: '/', env: { ...env, FLOTILLA_CONTEXT: context } }),
  };
}

export interface RawOption {
  port: number;
  authority: string;
  serverName: string;
  certificate?: string;
  key?: string;
  token?: string;
  session?: Buffer;
}

export interface RawReply {
  status: number;
  headers: Record<string, unknown>;
  body: any;
  reused: boolean;
  session: Buffer | undefined;
}

/** One request as a program of somebody else would make it; throws when the connection fails. */
export async function askRaw(method: string, path: string, option: RawOption): Promise<RawReply> {
  const file = async (name: string | undefined) => (name === undefined ? undefined : readFile(name));
  const agent = new Agent({ keepAlive: false });
  // `session` goes on to tls.connect(), which the types of node:https do not say.
  const how: RequestOptions & { session: Buffer | undefined } = {
    agent,
    host: '127.0.0.1',
    port: option.port,
    servername: option.serverName,
    ca: await file(option.authority),
    cert: await file(option.certificate),
    key: await file(option.key),
    session: option.session,
    method,
    path,
    headers: option.token === undefined ? {} : { authorization: `Bearer ${option.token}` },
  };
  const sent = request(how);
  let session: Buffer | undefined;
  sent.on('socket', (socket) => socket.on('session', (ticket: Buffer) => (session = ticket)));
  sent.end();
  const [answer] = await once(sent, 'response');
  const reused = (answer.socket as TLSSocket).isSessionReused();
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  const isRows = answer.headers['content-type'] === 'application/x-ndjson';
  const body = isRows
    ? text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : JSON.parse(text);
  return { status: answer.statusCode, headers: answer.headers, body, reused, session };
}
