import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { systemClock } from '../../../src/clock.ts';
import { defaultCoordinatorConfig, type CoordinatorConfig } from '../../../src/config/index.ts';
import { startCoordinator, type Coordinator } from '../../../src/coordinator/index.ts';
import { deltaProcess } from '../../../src/coordinator/delta/run-delta-process.ts';
import type { GatewayPool } from '../../../src/coordinator/gateway/index.ts';
import type {
  Admittance,
  Connect,
  GatewayHandler,
  NackVerdict,
  PeerIdentity,
} from '../../../src/coordinator/gateway/port.ts';
import { createLog } from '../../../src/log.ts';
import type { TrustedAuthority } from '../../../src/pki/index.ts';
import { preparePki } from '../../support/pki-folder.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { writePackedRows } from '../../../src/protocol/packed-rows.ts';
import { Lane, type Row } from '../../../src/protocol/lane.ts';
import { eventually } from '../../support/eventually.ts';

export const deltaEntry = join(import.meta.dirname, '..', '..', '..', 'src', 'bin', 'delta.ts');
export const storeEntry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
export const fleetId = 'harbour';

/** The network, faked: what the core tells the gateways, and devices that speak to it through the port. */
export class FakeGateways {
  handler!: GatewayHandler;
  readonly devices = new Map<number, FakeDevice>();
  revoked: ReadonlySet<string> = new Set();
  authorities: readonly TrustedAuthority[] = [];
  certificate: { keyPem: string; certificatePem: string } | undefined;
  readonly schemas: Record<string, string> = {};
  #lastConnection = 0;

  readonly pool: GatewayPool = {
    port: 7443,
    pids: [1],
    stop: async () => {},
    admit: (connection, welcome) => this.devices.get(connection)?.admitted.resolve(welcome),
    refuse: (connection, refusal) => this.devices.get(connection)?.refused.resolve(refusal.code),
    open: (connection) => this.devices.get(connection)?.opened.resolve(),
    nack: (connection, lane, seq, verdict) => void this.devices.get(connection)?.nacks.push({ lane, seq, ...verdict }),
    pause: (connection, lane, ms) => void this.devices.get(connection)?.pauses.push({ lane, ms }),
    credit: (connection, bytes) => void this.devices.get(connection)?.credits.push(bytes),
    probe: (connection) => this.devices.get(connection)?.probed.resolve(),
    acknowledge: (connection, lane, upToSeq) => {
      const device = this.devices.get(connection);
      if (device !== undefined) device.acked[lane] = upToSeq;
    },
    request: (connection, lane, seq, sent) =>
      void this.devices.get(connection)?.requests.push({ lane, seq, row: sent }),
    grantBlob: (connection, sha256) => void this.devices.get(connection)?.blobs.add(sha256),
    close: (connection, reason) => this.devices.get(connection)?.closed.resolve(reason),
    addSchemas: (schemas) => void Object.assign(this.schemas, schemas),
    setRevoked: (serials) => void (this.revoked = serials),
    setAuthorities: (authorities) => void (this.authorities = authorities),
    setCertificate: (certificate) => void (this.certificate = certificate),
  };

  connect(identity: PeerIdentity, over: Partial<Connect> = {}): FakeDevice {
    this.#lastConnection += 1;
    const device = new FakeDevice(this.#lastConnection, this.handler);
    this.devices.set(device.connection, device);
    this.handler.connect({
      connection: device.connection,
      gateway: 0,
      identity,
      address: '192.0.2.1:4000',
      resumed: false,
      instanceId: 0xa1n,
      agentVersion: '1.0.0',
      knownCoordinatorInstanceId: 0n,
      nextSeq: [1, 1, 1, 1],
      requestCursor: [0, 0, 0, 0],
      ...over,
    });
    return device;
  }
}

export class FakeDevice {
  readonly connection: number;
  readonly admitted = Promise.withResolvers<Admittance>();
  readonly opened = Promise.withResolvers<void>();
  readonly probed = Promise.withResolvers<void>();
  readonly nacks: (NackVerdict & { lane: Lane; seq: number })[] = [];
  readonly pauses: { lane: Lane; ms: number }[] = [];
  readonly credits: number[] = [];
  readonly refused = Promise.withResolvers<string>();
  readonly closed = Promise.withResolvers<string>();
  readonly acked = [0, 0, 0, 0];
  readonly requests: { lane: Lane; seq: number; row: Row }[] = [];
  readonly blobs = new Set<string>();
  readonly #handler: GatewayHandler;
  readonly seq = [1, 1, 1, 1];

  constructor(connection: number, handler: GatewayHandler) {
    this.connection = connection;
    this.#handler = handler;
  }

  say(type: string, payload: unknown, { key = '', lane = Lane.control }: { key?: string; lane?: Lane } = {}): void {
    this.handler.events(this.connection, lane, this.seq[lane]!, [row(type, payload, key)]);
    this.seq[lane]! += 1;
  }

  /** Rows of the product, packed as a gateway packs them. */
  sendBlock(rows: readonly Row[], lane: Lane): void {
    const body = new ByteWriter(4_096);
    writePackedRows(body, rows);
    const schemas = [...new Set(rows.map(({ schema }) => schema))].filter((schema) => schema !== 0n);
    const lastTimestampMs = rows.at(-1)!.timestampMs;
    const block = { count: rows.length, schemas, lastTimestampMs, bytes: body.take() };
    this.#handler.eventBlock(this.connection, lane, this.seq[lane]!, block);
    this.seq[lane]! += rows.length;
  }

  get handler(): GatewayHandler {
    return this.#handler;
  }

  /** Waits until everything that was said is acknowledged. */
  async heard(lane: Lane = Lane.control): Promise<void> {
    await eventually('the core has stored it', () => this.acked[lane] === this.seq[lane]! - 1, { everyMs: 5 });
  }

  async request(type: string): Promise<{ seq: number; payload: any }> {
    const found = await eventually(
      `a request ${type}`,
      () => this.requests.find(({ row: { type: t } }) => t === type),
      {
        everyMs: 5,
        timeoutMs: 5_000,
      },
    );
    return { seq: found.seq, payload: JSON.parse(Buffer.from(found.row.payload).toString()) };
  }

  confirm(upToSeq: number): void {
    this.#handler.requestsAcked(this.connection, Lane.control, upToSeq);
  }

  leave(reason = 'gone'): void {
    this.#handler.disconnect(this.connection, reason, { receivedBytes: 10, sentBytes: 20 });
  }
}

export function row(type: string, payload: unknown, key = ''): Row {
  return { type, key, timestampMs: 1, schema: 0n, payload: Buffer.from(JSON.stringify(payload)) };
}

export interface CoreBench extends AsyncDisposable {
  client: CoordinatorClient;
  gateways: FakeGateways;
  coordinator: Coordinator;
  keyDirectory: string;
  /** The coordinator's own certificate. */
  signer: X509Certificate;
  config: CoordinatorConfig;
  ended: Promise<unknown>;
}

/** A real core process in this one: real store thread, API and socket; only the network is faked. */
export async function startCore(
  directory: string,
  over: Partial<CoordinatorConfig> = {},
  maxStoreBytes?: number,
): Promise<CoreBench> {
  const { keeper } = await preparePki(directory, fleetId);
  const config: CoordinatorConfig = {
    ...defaultCoordinatorConfig,
    fleetId,
    data: join(directory, 'data'),
    socket: join(directory, 'run', 'api.sock'),
    ...over,
  };
  const gateways = new FakeGateways();
  const ended = Promise.withResolvers<unknown>();
  const keyDirectory = join(directory, 'keys');
  const coordinator = await startCoordinator({
    config,
    authorities: keeper,
    keyDirectory,
    version: '0.0.0',
    storeEntry,
    ...(maxStoreBytes === undefined ? {} : { maxStoreBytes }),
    clock: systemClock,
    log: createLog({ name: 'test', level: 'silent' }),
    makeDelta: (signal) => deltaProcess(deltaEntry, signal),
    startGateways: async ({ handler }) => {
      gateways.handler = handler;
      return gateways.pool;
    },
    onEnd: (error) => ended.resolve(error),
  });
  return {
    client: new CoordinatorClient(new HttpConnection(config.socket)),
    gateways,
    coordinator,
    keyDirectory,
    signer: keeper.own.certificate,
    config,
    ended: ended.promise,
    [Symbol.asyncDispose]: () => coordinator.stop(),
  };
}
