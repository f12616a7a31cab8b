/**
 * A fleet for tests of the link: real certificates, a pool of real gateway processes, real links with SQLite logs. The
 * core is a plain ledger: it stores what comes by (device, instance, lane, seq) and hands out requests.
 */
import { createPublicKey } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { createLink } from '../../src/agent/link/link.ts';
import type { LinkOption } from '../../src/agent/link/link-option.ts';
import type { Link } from '../../src/agent/link/port.ts';
import { systemClock } from '../../src/clock.ts';
import type { GatewayLimits, GatewayPool } from '../../src/coordinator/gateway/pool-option.ts';
import { createGatewayPool } from '../../src/coordinator/gateway/pool.ts';
import type {
  Connect,
  ConnectionId,
  FrameFault,
  GatewayHandler,
  RefuseCode,
} from '../../src/coordinator/gateway/port.ts';
import type { DeviceLog } from '../../src/eventlog/device-log.ts';
import { openDeviceDatabase } from '../../src/eventlog/open-device-database.ts';
import { createDeviceLog } from '../../src/eventlog/sqlite-device-log.ts';
import { createLog } from '../../src/log.ts';
import { ByteReader } from '../../src/protocol/byte-reader.ts';
import type { Lane, Row } from '../../src/protocol/lane.ts';
import type { GapReason, Standing } from '../../src/protocol/message.ts';
import { readPackedRows, type RowBlock } from '../../src/protocol/packed-rows.ts';
import {
  coordinatorServerName,
  createIssuingAuthority,
  createKey,
  createRootAuthority,
  formatPrivateKey,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  type Authority,
} from '../../src/pki/index.ts';
import { temporaryDirectory } from './temporary.ts';

export const gatewayEntry = join(import.meta.dirname, '..', '..', 'src', 'bin', 'gateway.ts');

export const opensslConfigFile = join(import.meta.dirname, '..', '..', 'templates', 'gateway-openssl.cnf');

export interface DevicePems {
  keyPem: string;
  certificatePem: string;
  authorityPem: string;
}

export interface Fleet extends AsyncDisposable {
  fleetId: string;
  directory: string;
  blobDirectory: string;
  issuing: Authority;
  authorityPem: string;
  serverName: string;
  tls: { keyFile: string; certificateFile: string; authorityFile: string };
  device(id: string, option?: { issuing?: Authority; nowMs?: number; validityDays?: number }): Promise<DevicePems>;
}

export async function createCertifiedFleet(fleetId = 'bench'): Promise<Fleet> {
  const scratch = await temporaryDirectory();
  const root = await createRootAuthority({ fleetId });
  const issuing = await createIssuingAuthority(root);
  const coordinator = await issueCoordinatorCertificate(issuing, { fleetId, hosts: ['127.0.0.1'] });
  const authorityPem = issuing.certificatePem + root.certificatePem;
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(scratch.path, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const blobDirectory = join(scratch.path, 'blobs');
  await mkdir(blobDirectory);
  return {
    fleetId,
    directory: scratch.path,
    blobDirectory,
    issuing,
    authorityPem,
    serverName: coordinatorServerName(fleetId),
    tls: {
      keyFile: await file('coordinator.key', formatPrivateKey(coordinator.privateKey)),
      certificateFile: await file('coordinator.crt', coordinator.certificatePem),
      authorityFile: await file('authority.crt', authorityPem),
    },
    async device(id, option = {}) {
      const key = await createKey();
      const certificatePem = await issueDeviceCertificate(option.issuing ?? issuing, {
        fleetId: option.issuing?.fleetId ?? fleetId,
        deviceId: id,
        publicKey: createPublicKey(key),
        nowMs: option.nowMs ?? Date.now(),
        ...(option.validityDays === undefined ? {} : { validityDays: option.validityDays }),
      });
      return { keyPem: formatPrivateKey(key), certificatePem, authorityPem };
    },
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
}

interface Session {
  connect: Connect;
  sentSeq: number[];
}

/** Stores events and keeps requests. `storage` survives a restart of the pool when it is passed on. */
export class LedgerCore implements GatewayHandler {
  port!: GatewayPool;
  coordinatorInstanceId = 77n;
  /** By device and instance and lane: rows in order of seq, which starts after `skipped`. */
  readonly stored = new Map<string, { seq: number; row: Row }[]>();
  readonly requests = new Map<string, Row[]>();
  readonly sessions = new Map<ConnectionId, Session>();
  readonly connects: Connect[] = [];
  readonly disconnects: { connection: ConnectionId; reason: string; receivedBytes: number; sentBytes: number }[] = [];
  readonly ackedRequests: { device: string; lane: Lane; upToSeq: number }[] = [];
  readonly told: { connection: ConnectionId; fingerprint: bigint; text: string }[] = [];
  readonly gaps: { device: string; lane: Lane; upToSeq: number; reason: GapReason }[] = [];
  duplicates = 0;
  /** Set: refuse everybody. */
  refusal: { code: RefuseCode; retryAfterMs: number; detail: string } | undefined;
  /** Unset: events are stored and not acknowledged. */
  acknowledging = true;
  standing: Standing = 'accepted';
  readonly probes: { connection: ConnectionId; answered: boolean }[] = [];
  readonly faults: FrameFault[] = [];

  connect(connect: Connect): void {
    this.connects.push(connect);
    if (this.refusal !== undefined) {
      this.port.refuse(connect.connection, this.refusal);
      return;
    }
    const eventCursor = [0, 1, 2, 3].map((lane) => this.rows(connect, lane as Lane).at(-1)?.seq ?? 0);
    const { coordinatorInstanceId, standing } = this;
    this.port.admit(connect.connection, { coordinatorInstanceId, eventCursor, standing });
    const known = connect.knownCoordinatorInstanceId === this.coordinatorInstanceId;
    const session = { connect, sentSeq: known ? [...connect.requestCursor] : [0, 0, 0, 0] };
    this.sessions.set(connect.connection, session);
    this.#send(connect.connection, session);
  }

  events(connection: ConnectionId, lane: Lane, firstSeq: number, rows: Row[]): void {
    const session = this.sessions.get(connection);
    if (session === undefined) throw new Error(`events of connection ${connection}, which was never admitted`);
    const stored = this.rows(session.connect, lane);
    rows.forEach((row, n) => {
      const seq = firstSeq + n;
      if (seq <= (stored.at(-1)?.seq ?? 0)) this.duplicates += 1;
      else stored.push({ seq, row });
    });
    if (this.acknowledging) this.port.acknowledge(connection, lane, firstSeq + rows.length - 1);
  }

  schema(connection: ConnectionId, fingerprint: bigint, text: string): void {
    this.told.push({ connection, fingerprint, text });
  }

  gap(connection: ConnectionId, lane: Lane, upToSeq: number, reason: GapReason): void {
    this.gaps.push({ device: this.sessions.get(connection)!.connect.identity.deviceId, lane, upToSeq, reason });
    if (this.acknowledging) this.port.acknowledge(connection, lane, upToSeq);
  }

  eventBlock(connection: ConnectionId, lane: Lane, firstSeq: number, { bytes, count }: RowBlock): void {
    const rows = [...readPackedRows(new ByteReader(bytes), count)];
    this.events(connection, lane, firstSeq, rows);
  }

  requestsAcked(connection: ConnectionId, lane: Lane, upToSeq: number): void {
    this.ackedRequests.push({ device: this.sessions.get(connection)!.connect.identity.deviceId, lane, upToSeq });
  }

  frameFault(fault: FrameFault): void {
    this.faults.push(fault);
  }

  probed(connection: ConnectionId, answered: boolean): void {
    this.probes.push({ connection, answered });
  }

  disconnect(connection: ConnectionId, reason: string, traffic: { receivedBytes: number; sentBytes: number }): void {
    this.sessions.delete(connection);
    this.disconnects.push({ connection, reason, ...traffic });
  }

  rows(connect: Connect, lane: Lane): { seq: number; row: Row }[] {
    const name = `${connect.identity.deviceId}/${connect.instanceId}/${lane}`;
    let rows = this.stored.get(name);
    if (rows === undefined) this.stored.set(name, (rows = []));
    return rows;
  }

  /** The payloads that were stored of a device's lane, every instance, in order. */
  payloads(device: string, lane: Lane): string[] {
    return [...this.stored]
      .filter(([name]) => name.startsWith(`${device}/`) && name.endsWith(`/${lane}`))
      .flatMap(([, rows]) => rows.map(({ row }) => Buffer.from(row.payload).toString()));
  }

  session(device: string): Session | undefined {
    return [...this.sessions.values()].findLast(({ connect }) => connect.identity.deviceId === device);
  }

  /** Appends a request on lane 0 and sends it when the device is there. */
  request(device: string, row: Row): void {
    this.requests.set(device, [...(this.requests.get(device) ?? []), row]);
    for (const [connection, session] of this.sessions) {
      if (session.connect.identity.deviceId === device) this.#send(connection, session);
    }
  }

  #send(connection: ConnectionId, session: Session): void {
    const rows = this.requests.get(session.connect.identity.deviceId) ?? [];
    while (session.sentSeq[0]! < rows.length) {
      session.sentSeq[0]! += 1;
      this.port.request(connection, 0, session.sentSeq[0]!, rows[session.sentSeq[0]! - 1]!);
    }
  }
}

export interface Bench extends AsyncDisposable {
  fleet: Fleet;
  core: LedgerCore;
  pool: GatewayPool;
  /** What the gateways logged, one object a line. */
  gatewayLog(): Promise<Record<string, unknown>[]>;
  refused(): Promise<string[]>;
  addDevice(id: string, option?: DeviceOption): Promise<BenchDevice>;
  /** Ends the pool as a crash would and starts one on the same port. */
  restartPool(how: 'stop' | 'kill'): Promise<void>;
}

export interface DeviceOption {
  pems?: DevicePems;
  link?: Partial<LinkOption>;
  databasePath?: string;
}

export interface BenchDevice extends AsyncDisposable {
  link: Link;
  log: DeviceLog;
  database: DatabaseSync;
  requested(): number;
  append(lane: Lane, payload: string): number;
}

export function textRow(text: string, option: Partial<Row> = {}): Row {
  return {
    type: 'test.text',
    key: '',
    timestampMs: 1_700_000_000_000,
    schema: 0n,
    payload: Buffer.from(text),
    ...option,
  };
}

export async function createBench(
  option: {
    count?: number;
    limits?: Partial<GatewayLimits>;
    /** Keeps the ticket key over `restartPool`. */
    keepTicketKey?: boolean;
    core?: LedgerCore;
    /** What the gateways know: Avro, as JSON, by fingerprint. */
    schemas?: Record<string, string>;
  } = {},
): Promise<Bench> {
  const fleet = await createCertifiedFleet();
  const core = option.core ?? new LedgerCore();
  const logFile = join(fleet.directory, 'gateway.log');
  await writeFile(logFile, '');
  const devices: BenchDevice[] = [];
  const startPool = async (port: number): Promise<GatewayPool> => {
    const pool = await createGatewayPool({
      count: option.count ?? 1,
      listen: { host: '127.0.0.1', port },
      tls: fleet.tls,
      blobDirectory: fleet.blobDirectory,
      gatewayEntry,
      opensslConfigFile,
      fleetId: fleet.fleetId,
      handler: core,
      log: createLog({ name: 'core', level: 'silent' }),
      logDestination: logFile,
      logLevel: 'debug',
      ...(option.schemas === undefined ? {} : { schemas: option.schemas }),
      ...(option.keepTicketKey === true ? { ticketKeyFile: join(fleet.directory, 'ticket-key.json') } : {}),
      ...(option.limits === undefined ? {} : { limits: option.limits }),
    });
    core.port = pool;
    return pool;
  };
  const readLog = async (): Promise<Record<string, unknown>[]> => {
    const text = await readFile(logFile, 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const bench: Bench = {
    fleet,
    core,
    pool: await startPool(0),
    gatewayLog: readLog,
    async refused() {
      return (await readLog()).filter(({ msg }) => msg === 'connection refused').map(({ reason }) => String(reason));
    },
    async addDevice(id, deviceOption = {}) {
      const pems = deviceOption.pems ?? (await fleet.device(id));
      const database = openDeviceDatabase(deviceOption.databasePath ?? join(fleet.directory, `${id}.sqlite`));
      const log = createDeviceLog(database);
      let requested = 0;
      const link = createLink({
        endpoint: { host: '127.0.0.1', port: bench.pool.port, serverName: fleet.serverName },
        identity: pems,
        log,
        agentVersion: '1.0.0',
        clock: systemClock,
        logger: createLog({ name: 'agent', level: 'silent' }),
        onRequest: () => {
          requested += 1;
        },
        backoff: { firstMinMs: 1, firstMaxMs: 20, maxMs: 200 },
        ...deviceOption.link,
      });
      const device: BenchDevice = {
        link,
        log,
        database,
        requested: () => requested,
        append(lane, payload) {
          const seq = log.append(lane, textRow(payload));
          link.wake();
          return seq;
        },
        async [Symbol.asyncDispose]() {
          await link.stop();
          if (database.isOpen) database.close();
        },
      };
      devices.push(device);
      link.start();
      return device;
    },
    async restartPool(how) {
      const { port } = bench.pool;
      if (how === 'kill') for (const pid of bench.pool.pids) process.kill(pid, 'SIGKILL');
      await bench.pool.stop();
      bench.pool = await startPool(port);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(devices.map((device) => device[Symbol.asyncDispose]()));
      await bench.pool.stop();
      await fleet[Symbol.asyncDispose]();
    },
  };
  return bench;
}
