import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createLink } from '../../../src/agent/link/link.ts';
import type { Link } from '../../../src/agent/link/port.ts';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { systemClock } from '../../../src/clock.ts';
import { defaultCoordinatorConfig } from '../../../src/config/index.ts';
import { createGatewayPool } from '../../../src/coordinator/gateway/index.ts';
import { deltaProcess } from '../../../src/coordinator/delta/run-delta-process.ts';
import { startCoordinator } from '../../../src/coordinator/index.ts';
import { createDeviceLog, openDeviceDatabase, type DeviceLog } from '../../../src/eventlog/index.ts';
import { createLog } from '../../../src/log.ts';
import { coordinatorServerName, createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import { decodeMessage } from '../../../src/protocol/decode.ts';
import { FrameDecoder } from '../../../src/protocol/frame.ts';
import { createCountingProxy } from '../../support/counting-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { gatewayEntry, opensslConfigFile, textRow } from '../../support/link-bench.ts';
import { preparePki } from '../../support/pki-folder.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { deltaEntry, storeEntry } from './core-bench.ts';

const fleetId = 'harbour';
const silent = createLog({ name: 'test', level: 'silent' });

interface Device extends AsyncDisposable {
  link: Link;
  log: DeviceLog;
  path: string;
}

/** A whole coordinator: real core, store, API and three gateway processes behind one port. */
async function startThree() {
  const stack = new AsyncDisposableStack();
  const scratch = stack.use(await temporaryDirectory());
  const { layout, keeper } = await preparePki(scratch.path, fleetId);
  const { bundlePem: authorityPem } = keeper.active;
  const tls = {
    keyFile: layout.coordinatorKey,
    certificateFile: layout.coordinatorCertificate,
    authorityFile: layout.authorityBundle,
  };
  const keyDirectory = join(scratch.path, 'keys');
  await mkdir(keyDirectory);
  const socket = join(scratch.path, 'run', 'api.sock');
  const coordinator = await startCoordinator({
    config: { ...defaultCoordinatorConfig, fleetId, data: join(scratch.path, 'data'), socket },
    authorities: keeper,
    keyDirectory,
    version: '0.0.0',
    storeEntry,
    clock: systemClock,
    log: silent,
    makeDelta: (signal) => deltaProcess(deltaEntry, signal),
    startGateways: ({ handler, blobDirectory }) =>
      createGatewayPool({
        count: 3,
        listen: { host: '127.0.0.1', port: 0 },
        tls,
        blobDirectory,
        gatewayEntry,
        opensslConfigFile,
        fleetId,
        handler,
        log: silent,
        logDestination: join(scratch.path, 'gateway.log'),
      }),
    onEnd: () => undefined,
  });
  stack.defer(() => coordinator.stop());
  const client = new CoordinatorClient(new HttpConnection(socket));
  let databases = 0;
  return {
    client,
    port: coordinator.port,
    authorityPem,
    async enroll(id: string) {
      const { csrPem, privateKeyPem } = await createDeviceKeyAndCsr(id);
      const { certificate } = await client.sign({ csr: csrPem });
      return { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem };
    },
    /** Another data directory each time: another history. */
    start(
      identity: { keyPem: string; certificatePem: string; authorityPem: string },
      port = coordinator.port,
      databasePath?: string,
    ): Device {
      databases += 1;
      const path = databasePath ?? join(scratch.path, `${databases}.sqlite`);
      const database = openDeviceDatabase(path);
      const log = createDeviceLog(database);
      const link = createLink({
        endpoint: { host: '127.0.0.1', port, serverName: coordinatorServerName(fleetId) },
        identity,
        log,
        agentVersion: '1.0.0',
        clock: systemClock,
        logger: silent,
        onRequest: () => undefined,
        backoff: { firstMinMs: 1, firstMaxMs: 20, maxMs: 100 },
      });
      link.start();
      const device = {
        link,
        log,
        path,
        async [Symbol.asyncDispose]() {
          await link.stop();
          if (database.isOpen) database.close();
        },
      };
      return stack.use(device);
    },
    /** Pids of the gateways that have refused a connection for this reason. */
    async refusals(reason: string): Promise<number[]> {
      const lines = (await readFile(join(scratch.path, 'gateway.log'), 'utf8'))
        .split('\n')
        .filter((line) => line !== '');
      return lines
        .map((line) => JSON.parse(line) as { pid: number; msg: string; reason?: string })
        .filter((line) => line.msg === 'connection refused' && line.reason === reason)
        .map(({ pid }) => pid);
    },
    connects: async (selector: string) =>
      (await client.events({ type: 'coordinator.connected', selector, limit: 100 })).map(
        ({ payload }) => payload as { gateway: number; resumed: boolean; standing: string },
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const isLive = ({ link }: Device): boolean => link.status().state === 'live';

describe('three gateways behind one port', () => {
  it('resume what another one began, and supersede a ghost wherever it hangs', async () => {
    await using fleet = await startThree();
    const identity = await fleet.enroll('gw-1');
    await using proxy = await createCountingProxy(fleet.port);
    const device = fleet.start(identity, proxy.port);
    await eventually('live', () => isLive(device));
    // Each time the old connection is left hanging: the coordinator does not know that it is dead.
    const gateways = new Set<number>();
    for (let n = 1; n <= 40 && (n < 4 || gateways.size < 3); n += 1) {
      proxy.strand();
      await eventually('back', async () => (await fleet.connects('gw-1')).length > n && isLive(device));
      gateways.add((await fleet.connects('gw-1')).at(-1)!.gateway);
    }
    const connects = await fleet.connects('gw-1');
    expect(connects.slice(1).every(({ resumed }) => resumed)).toBe(true);
    expect(new Set(connects.map(({ gateway }) => gateway)).size).toBe(3);
    expect((await fleet.client.device('gw-1')).state).toBe('accepted');
    expect(await fleet.client.events({ type: 'coordinator.clone' })).toEqual([]);
    const left = await fleet.client.events({ type: 'coordinator.disconnected', limit: 100 });
    expect(left.every(({ payload }) => (payload as { reason: string }).reason === 'superseded')).toBe(true);
    device.log.append(3, textRow('still in order'));
    device.link.wake();
    await eventually('stored', async () => (await fleet.client.events({ type: 'test.text' })).length === 1);
  });

  it('find a clone whatever gateway it comes to, hold both back, and open the one that comes when it is accepted', async () => {
    await using fleet = await startThree();
    const seen = new Set<string>();
    // The kernel spreads the connections: until a pair met on two gateways.
    for (let n = 1; n <= 20 && !seen.has('across'); n += 1) {
      const id = `gw-${n}`;
      const identity = await fleet.enroll(id);
      const original = fleet.start(identity);
      await eventually('live', () => isLive(original));
      const copy = fleet.start(identity);
      const clone = await eventually(
        'detected',
        async () => (await fleet.client.events({ type: 'coordinator.clone', selector: id }))[0],
      );
      const { gateways } = clone.payload as { gateways: number[] };
      seen.add(gateways[0] === gateways[1] ? 'within' : 'across');
      expect((await fleet.client.device(id)).state).toBe('quarantined');
      await eventually('both were told', () =>
        [original, copy].every(({ link }) => link.status().reason?.startsWith('quarantined')),
      );
      await original.link.stop();
      await copy.link.stop();
      original.link.start();
      await eventually('held', () => original.link.status().state === 'held');
      await fleet.client.acceptDevices(id);
      await eventually('opened in place', () => isLive(original));
      expect((await fleet.connects(id)).map(({ standing }) => standing)).toEqual(['accepted', 'quarantined']);
      await original.link.stop();
    }
    expect(seen).toContain('across');
  });

  it('find a full copy of a device, which has its history too, because both answer when they drive each other out', async () => {
    await using fleet = await startThree();
    const identity = await fleet.enroll('gw-1');
    const first = fleet.start(identity);
    await eventually('live', () => isLive(first));
    await first[Symbol.asyncDispose](); // the data partition at rest
    await copyFile(first.path, `${first.path}.copy`);
    const both = [
      fleet.start(identity, fleet.port, first.path),
      fleet.start(identity, fleet.port, `${first.path}.copy`),
    ];
    const clone = await eventually(
      'detected',
      async () => (await fleet.client.events({ type: 'coordinator.clone', selector: 'gw-1' }))[0],
    );
    const { reason, instances } = clone.payload as { reason: string; instances: string[] };
    expect(reason).toBe('superseded-each-other');
    expect(instances[0]).toBe(instances[1]);
    expect((await fleet.client.device('gw-1')).state).toBe('quarantined');
    await eventually('both were told', () =>
      both.every(({ link }) => link.status().reason?.startsWith('quarantined') || link.status().state === 'held'),
    );
  });

  it('refuse the resumed session of a revoked device, each of them, and say why', async () => {
    await using fleet = await startThree();
    const identity = await fleet.enroll('gw-1');
    const dial = (session?: Buffer) =>
      connectTls({
        host: '127.0.0.1',
        port: fleet.port,
        ca: fleet.authorityPem,
        key: identity.keyPem,
        cert: identity.certificatePem,
        ALPNProtocols: ['flotilla/1'],
        checkServerIdentity: () => undefined,
        ...(session === undefined ? {} : { session }),
      }).on('error', () => undefined);
    const first = dial();
    const ticket = await new Promise<Buffer>((resolve) => first.once('session', resolve));
    await fleet.client.revoke({ subject: 'gw-1', reason: 'stolen' });
    first.destroy();
    // The kernel chooses: until each has refused one.
    const refusedBy = async (): Promise<Set<number>> => new Set(await fleet.refusals('revoked'));
    for (let n = 0; n < 60 && (n < 12 || (await refusedBy()).size < 3); n += 1) {
      const socket = dial(ticket);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      expect(socket.isSessionReused()).toBe(true);
      if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
      const said = [...new FrameDecoder().push(Buffer.concat(chunks))].map(decodeMessage);
      expect(said).toMatchObject([{ type: 'reject', code: 'revoked', retryAfterMs: 60_000 }]);
    }
    await eventually('all three have refused', async () => (await refusedBy()).size === 3);
  });
});
