import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { createServer } from 'node:net';
import { X509Certificate } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { createGatewayPool } from '../../../src/coordinator/gateway/pool.ts';
import { createLog } from '../../../src/log.ts';
import { createIssuingAuthority, createRootAuthority } from '../../../src/pki/index.ts';
import { decodeMessage } from '../../../src/protocol/decode.ts';
import { FrameDecoder } from '../../../src/protocol/frame.ts';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import type { Hello } from '../../../src/protocol/message.ts';
import { createBench, gatewayEntry, textRow, type Bench, type DevicePems } from '../../support/link-bench.ts';
import { eventually } from '../../support/eventually.ts';

const hello: Hello = {
  type: 'hello',
  minVersion: 1,
  maxVersion: 1,
  features: 0,
  instanceId: 5n,
  knownCoordinatorInstanceId: 0n,
  keepaliveMs: 240_000,
  nextSeq: [1, 1, 1, 1],
  requestCursor: [0, 0, 0, 0],
  agentVersion: 'raw',
  extensions: [],
};

/** A client of node's own TLS, which says what it likes. */
function rawClient(bench: Bench, pems: Partial<DevicePems>, option: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    host: '127.0.0.1',
    port: bench.pool.port,
    servername: bench.fleet.serverName,
    ca: bench.fleet.authorityPem,
    ALPNProtocols: ['flotilla/1'],
    ...(pems.keyPem === undefined ? {} : { key: pems.keyPem, cert: pems.certificatePem! }),
    ...option,
  });
  socket.on('error', () => undefined);
  return socket;
}

async function closed(socket: TLSSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.destroyed) await new Promise((resolve) => socket.on('close', resolve));
  return Buffer.concat(chunks);
}

describe('a gateway refuses, at the cost of one connection and one log line', () => {
  it('a peer without a certificate, a stranger, a stranger of the same name, a wrong protocol, a server certificate', async () => {
    await using bench = await createBench();
    const { fleet } = bench;
    const bystander = await bench.addDevice('bystander');
    await eventually('the bystander is live', () => bystander.link.status().state === 'live');
    const good = await fleet.device('d1');
    const stranger = await createIssuingAuthority(await createRootAuthority({ fleetId: 'bench' }));
    const expected: string[] = [];
    const refuse = async (reason: string, socket: TLSSocket): Promise<void> => {
      expected.push(reason);
      await closed(socket);
      await eventually(reason, async () => (await bench.refused()).length === expected.length);
    };
    await refuse('no-certificate', rawClient(bench, {}));
    await refuse('unknown-authority', rawClient(bench, await fleet.device('d1', { issuing: stranger })));
    await refuse('alpn', rawClient(bench, good, { ALPNProtocols: ['h2'] }));
    await refuse('alpn', rawClient(bench, good, { ALPNProtocols: [] }));
    await refuse('tls-version', rawClient(bench, good, { maxVersion: 'TLSv1.2' }));
    const keyPem = await readFile(fleet.tls.keyFile, 'utf8');
    const certificatePem = await readFile(fleet.tls.certificateFile, 'utf8');
    await refuse('unknown-authority', rawClient(bench, { keyPem, certificatePem })); // serverAuth is no clientAuth
    const longAgo = await fleet.device('d1', { nowMs: Date.now() - 30 * 86_400_000, validityDays: 2 });
    await refuse('expired-certificate', rawClient(bench, longAgo));
    const plain = connectTcp(bench.pool.port, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'));
    plain.on('error', () => undefined);
    expected.push('not-tls');
    await eventually('not-tls', async () => (await bench.refused()).length === expected.length);
    const hangUp = connectTcp(bench.pool.port, '127.0.0.1', () => hangUp.destroy());
    expected.push('hung-up');
    await eventually('hung-up', async () => (await bench.refused()).length === expected.length);
    expect(await bench.refused()).toEqual(expected);
    expect(bench.core.connects.map(({ identity }) => identity.deviceId)).toEqual(['bystander']);
    expect(bystander.link.status().state).toBe('live');
  });

  it('openssl s_client without a certificate', async () => {
    await using bench = await createBench();
    const ran = await execa(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${bench.pool.port}`, '-alpn', 'flotilla/1', '-quiet', '-ign_eof'],
      { reject: false, input: 'hello\n' },
    );
    expect(`${ran.stdout}${ran.stderr}`).toContain('certificate required');
    await eventually('the line', async () => (await bench.refused()).length > 0);
    expect(await bench.refused()).toEqual(['no-certificate']);
  });

  it('a revoked certificate, in a full and in a resumed handshake, and cuts a live one within a second', async () => {
    await using bench = await createBench();
    const pems = await bench.fleet.device('d1');
    const serial = new X509Certificate(pems.certificatePem).serialNumber.toLowerCase();
    const device = await bench.addDevice('d1', { pems });
    await eventually('live', () => device.link.status().state === 'live');
    const other = await bench.addDevice('d2');
    await eventually('live', () => other.link.status().state === 'live');
    let ticket: Buffer | undefined;
    const first = rawClient(bench, pems);
    first.on('session', (session) => (ticket = session));
    await eventually('a ticket', () => ticket);
    first.destroy();
    const reasons: string[] = [];
    device.link.onChange(({ reason }) => reason !== undefined && reasons.push(reason));
    const before = performance.now();
    bench.pool.setRevoked(new Set([bench.core.session('d1')!.connect.identity.serialHex]));
    expect(bench.core.session('d1')!.connect.identity.serialHex).toContain(serial.replace(/^0+/, ''));
    await eventually('cut', () => bench.core.disconnects.some(({ reason }) => reason.startsWith('revoked')), {
      everyMs: 5,
    });
    expect(performance.now() - before).toBeLessThan(1_000);
    await eventually('the device knows', () => reasons.some((reason) => reason.startsWith('revoked')));
    await device.link.stop();
    // The link's own last try may be told late, and may have been given up half way.
    const judged = async () => (await bench.refused()).filter((reason) => reason !== 'hung-up');
    const lines = (await judged()).length;
    await closed(rawClient(bench, pems));
    await closed(rawClient(bench, pems, { session: ticket! }));
    await eventually('both refused', async () => (await judged()).length >= lines + 2);
    expect(new Set((await judged()).slice(lines))).toEqual(new Set(['revoked']));
    expect(other.link.status().state).toBe('live');
  });

  it('garbage before and after WELCOME, an EVENT before WELCOME, a frame too long, and no HELLO at all', async () => {
    await using bench = await createBench({ limits: { helloTimeoutMs: 400 } });
    const other = await bench.addDevice('other');
    await eventually('live', () => other.link.status().state === 'live');
    const pems = await bench.fleet.device('d1');
    const say = (...bytes: Uint8Array[]): TLSSocket => {
      const socket = rawClient(bench, pems);
      socket.on('secureConnect', () => socket.write(Buffer.concat(bytes)));
      return socket;
    };
    const whole = encodeMessage(hello);
    expect(await closed(say(Buffer.from('GET / HTTP/1.1\r\n\r\n')))).toHaveLength(0);
    expect(await closed(say(Buffer.from([0x43, 0, 0, 65])))).toHaveLength(0); // EVENT before HELLO
    expect(await closed(say(Buffer.from([0x1f, 255, 255, 255, 255])))).toHaveLength(0); // 4 GiB of HELLO
    expect(await closed(say(whole, Buffer.from([0x43, 0, 0, 65])))).not.toHaveLength(0); // EVENT before WELCOME
    expect(await closed(say())).toHaveLength(0); // silence
    const live = rawClient(bench, pems);
    live.on('secureConnect', () => live.write(whole));
    const answer = closed(live);
    await eventually('admitted', () => bench.core.session('d1'));
    live.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    expect((await answer).at(-1)).toBeDefined();
    await eventually('six lines', async () => (await bench.refused()).length === 6);
    expect(await bench.refused()).toEqual([
      'protocol-error',
      'protocol-error',
      'protocol-error',
      'protocol-error',
      'timeout',
      'protocol-error',
    ]);
    // The core hears of each that was no frame, with the first of what came.
    expect(bench.core.faults).toHaveLength(5);
    expect(bench.core.faults[0]).toMatchObject({
      deviceId: 'd1',
      bytes: Uint8Array.from(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
    });
    expect(other.link.status().state).toBe('live');
    other.append(0, 'still here');
    await eventually('still served', () => bench.core.payloads('other', 0).length === 1);
  });

  it('more requests than may wait for one device that does not read', async () => {
    await using bench = await createBench({ limits: { maxQueuedBytes: 100_000 } });
    const pems = await bench.fleet.device('slow');
    const slow = rawClient(bench, pems);
    slow.on('secureConnect', () => slow.write(encodeMessage(hello)));
    await eventually('admitted', () => bench.core.session('slow'));
    slow.pause();
    for (let n = 0; n < 60; n += 1) bench.core.request('slow', textRow('x'.repeat(20_000)));
    await eventually('cut', () =>
      bench.core.disconnects.some(({ reason }) => reason.includes('too many requests wait')),
    );
  });
});

describe('a pool of gateways', () => {
  const option = (bench: Bench) => ({
    count: 1,
    listen: { host: '127.0.0.1', port: 0 },
    tls: bench.fleet.tls,
    blobDirectory: bench.fleet.blobDirectory,
    gatewayEntry,
    fleetId: 'bench',
    handler: bench.core,
    log: createLog({ name: 'core', level: 'silent' }),
    logDestination: join(bench.fleet.directory, 'second.log'),
  });

  it('says plainly that a port is taken, a key is open to others, a certificate is missing', async () => {
    await using bench = await createBench();
    await expect(
      createGatewayPool({ ...option(bench), listen: { host: '127.0.0.1', port: bench.pool.port } }),
    ).rejects.toMatchObject({ code: 'gateway-listen', detail: { seen: 'EADDRINUSE' } });
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    await expect(createGatewayPool({ ...option(bench), listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({
      code: 'gateway-listen',
    });
    taken.close();
    const keyFile = join(bench.fleet.directory, 'open.key');
    await writeFile(keyFile, await readFile(bench.fleet.tls.keyFile));
    await chmod(keyFile, 0o644);
    await expect(createGatewayPool({ ...option(bench), tls: { ...bench.fleet.tls, keyFile } })).rejects.toMatchObject({
      code: 'secret-file-exposed',
    });
    await expect(
      createGatewayPool({ ...option(bench), tls: { ...bench.fleet.tls, certificateFile: '/nowhere.crt' } }),
    ).rejects.toMatchObject({ code: 'gateway-start', detail: { seen: 'ENOENT' } });
    await expect(createGatewayPool({ ...option(bench), count: 0 })).rejects.toMatchObject({ code: 'gateway-count' });
  });

  it('reports the connections of a gateway that died and starts another on the same port', async () => {
    await using bench = await createBench();
    const device = await bench.addDevice('d1');
    await eventually('live', () => device.link.status().state === 'live');
    const [pid] = bench.pool.pids;
    process.kill(pid!, 'SIGKILL');
    await eventually('reported', () => bench.core.disconnects[0]?.reason === 'gateway ended');
    await eventually('back', () => bench.core.connects.length === 2 && device.link.status().state === 'live');
    expect(bench.pool.pids).not.toContain(pid);
  });

  it('spreads the hints to come back over the time that is set when it drains', async () => {
    const retrySpreadMs = 40_000;
    await using bench = await createBench({ count: 2, limits: { retrySpreadMs } });
    // One identity is enough: each dials as a history of its own, and the ledger does not mind.
    const pems = await bench.fleet.device('d1');
    const count = 24;
    const said = Array.from({ length: count }, async (_, n) => {
      const socket = rawClient(bench, pems);
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      socket.write(encodeMessage({ ...hello, instanceId: BigInt(n + 1) }));
      return closed(socket);
    });
    await eventually('all are live', () => bench.core.sessions.size === count);
    await bench.pool.stop();
    const hints = (await Promise.all(said)).map((bytes) => {
      const last = [...new FrameDecoder().push(bytes)].map(decodeMessage).at(-1);
      if (last?.type !== 'goaway' || last.code !== 'shutting-down') throw new Error(`the last word was ${last?.type}`);
      return last.retryAfterMs;
    });
    expect(hints.every((ms) => ms >= 1 && ms <= retrySpreadMs)).toBe(true);
    // Uniform: each fifth of the time has some, and no two are the same; by chance that fails once in 40 runs …
    const fifths = new Set(hints.map((ms) => Math.floor((ms * 5) / (retrySpreadMs + 1))));
    expect(fifths.size).toBeGreaterThanOrEqual(4); // … and this once in 20,000
    expect(new Set(hints).size).toBeGreaterThan(count - 3);
  });

  it('leaves no gateway behind when the core is killed', async () => {
    await using bench = await createBench();
    const script = join(bench.fleet.directory, 'core.ts');
    const source = (path: string): string => JSON.stringify(join(import.meta.dirname, '../../../src', path));
    await writeFile(
      script,
      `import { createGatewayPool } from ${source('coordinator/gateway/pool.ts')};
       import { createLog } from ${source('log.ts')};
       const handler = { connect() {}, events() {}, gap() {}, requestsAcked() {}, disconnect() {} };
       const pool = await createGatewayPool({ ...${JSON.stringify({ ...option(bench), handler: undefined, log: undefined, count: 2 })},
         handler, log: createLog({ name: 'core' }) });
       console.log(JSON.stringify(pool.pids));`,
    );
    const core = execa(process.execPath, [script], { reject: false });
    let pids: number[] = [];
    core.stdout.on('data', (chunk: Buffer) => (pids = JSON.parse(chunk.toString()) as number[]));
    await eventually('two gateways', () => pids.length === 2);
    core.kill('SIGKILL');
    await core;
    await eventually('they are gone', () =>
      pids.every((pid) => {
        try {
          process.kill(pid, 0);
          return false;
        } catch {
          return true;
        }
      }),
    );
  });
});
