import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { ByteReader } from '../../protocol/byte-reader.ts';
import type { ByteWriter } from '../../protocol/byte-writer.ts';
import { defaultPacking } from '../../protocol/columns/index.ts';
import { GatewayProcess } from './gateway-process.ts';
import {
  isSameRow,
  readBlock,
  readConnect,
  readDefine,
  readDisconnect,
  readFrameFault,
  readGap,
  readNumber,
  readRows,
  readUpTo,
  ToCore,
  ToGateway,
  writeAdmit,
  writeClose,
  writeJson,
  writeNack,
  writeNamed,
  writeNumber,
  writeRefuse,
  writeRows,
  writeSchema,
  writeSerials,
  writeUpTo,
  type GatewayConfig,
} from './ipc.ts';
import type { Lane, Row } from '../../protocol/lane.ts';
import type { TrustedAuthority } from '../../pki/peer-reader.ts';
import { readMaterial } from './gateway-material.ts';
import { defaultGatewayLimits, type GatewayMaterial, type GatewayPool, type GatewayPoolOption } from './pool-option.ts';
import type { Admittance, ConnectionId, NackVerdict } from './port.ts';
import { TicketKey } from './ticket-key.ts';

const restartMinMs = 100;
const restartMaxMs = 5_000;
const stopMs = 5_000;

/**
 * Starts the gateways and speaks for them. The handler is called from the turn of the event loop after this promise
 * resolves on. Rejects when the port is taken, a file of the TLS material is unreadable, or a gateway can't start.
 */
export async function createGatewayPool(option: GatewayPoolOption): Promise<GatewayPool> {
  if (!Number.isInteger(option.count) || option.count < 1) {
    throw new FlotillaError('usage', 'gateway-count', `${option.count} gateways`, { expected: 'one or more' });
  }
  const port = await freePort(option.listen);
  const ticketKey = await TicketKey.open({
    file: option.ticketKeyFile,
    rotationMs: option.limits?.ticketRotationMs ?? defaultGatewayLimits.ticketRotationMs,
    log: option.log,
    nowMs: Date.now,
  });
  const pool = new Pool(option, await readMaterial(option), { port, ticketKey });
  try {
    await pool.start();
  } catch (error) {
    await pool.stop();
    throw error;
  }
  return pool;
}

/**
 * With reusePort the kernel lets two coordinators of one user share a port without a word, so the port is tried
 * exclusively first. A predecessor that was killed takes a moment to let go.
 */
async function freePort(listen: { host: string; port: number }): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await new Promise<number>((resolve, reject) => {
        const probe = createServer();
        probe.once('error', reject);
        probe.listen({ ...listen, exclusive: true }, () => {
          const { port } = probe.address() as AddressInfo;
          probe.close(() => resolve(port));
        });
      });
    } catch (cause) {
      const code = systemErrorCode(cause);
      if (code !== 'EADDRINUSE' || attempt === 20) {
        throw new FlotillaError(
          'failed',
          'gateway-listen',
          code === 'EADDRINUSE'
            ? `port ${listen.port} is in use by another process`
            : `the coordinator can't listen on ${listen.host}:${listen.port}`,
          {
            ...(code === undefined ? {} : { seen: code }),
            suggestion:
              code === 'EADDRINUSE'
                ? `see who has it: ss -ltnp 'sport = :${listen.port}'; or set another listen.port in coordinator.yaml`
                : 'check listen.host and listen.port in coordinator.yaml',
            cause,
          },
        );
      }
      await delay(100);
    }
  }
}

interface Slot {
  process: GatewayProcess;
  /** The gateway's own number of a connection to the core's. */
  ids: Map<number, ConnectionId>;
  startedMs: number;
  restartMs: number;
  /** The last one that it was told. */
  lastRequest: Row | undefined;
}

class Pool implements GatewayPool {
  readonly port: number;
  readonly #option: GatewayPoolOption;
  readonly #slots: Slot[] = [];
  readonly #where = new Map<ConnectionId, { slot: number; local: number }>();
  readonly #ticketKey: TicketKey;
  #material: GatewayMaterial;
  #revoked: ReadonlySet<string> = new Set();
  readonly #schemas: Map<string, string>;
  #lastId: ConnectionId = 0;
  /** Frames that came before the caller had its port. */
  #early: (() => void)[] | undefined = [];
  #stopping = false;
  #rotation: NodeJS.Timeout | undefined;

  constructor(
    option: GatewayPoolOption,
    material: GatewayMaterial,
    { port, ticketKey }: { port: number; ticketKey: TicketKey },
  ) {
    this.#option = option;
    this.#material = material;
    this.#schemas = new Map(Object.entries(option.schemas ?? {}));
    this.#ticketKey = ticketKey;
    this.port = port;
  }

  get pids(): number[] {
    return this.#slots.flatMap(({ process }) => process.pid ?? []);
  }

  async start(): Promise<void> {
    for (let n = 0; n < this.#option.count; n += 1) this.#slots.push(this.#spawn(n, restartMinMs));
    await Promise.all(this.#slots.map(({ process }) => process.ready));
    this.#scheduleRotation();
    setImmediate(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const call of early) call();
    });
  }

  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      clearTimeout(this.#rotation);
      for (const { process } of this.#slots) process.send(ToGateway.drain, () => undefined);
    }
    const timer = setTimeout(() => this.#slots.forEach(({ process }) => process.kill()), stopMs);
    await Promise.all(this.#slots.map(({ process }) => process.exited));
    clearTimeout(timer);
  }

  admit(connection: ConnectionId, welcome: Admittance): void {
    this.#tell(connection, ToGateway.admit, (body, local) => writeAdmit(body, local, connection, welcome));
  }

  open(connection: ConnectionId): void {
    this.#tell(connection, ToGateway.open, (body, local) => writeNumber(body, local, 0));
  }

  nack(connection: ConnectionId, lane: Lane, seq: number, verdict: NackVerdict): void {
    this.#tell(connection, ToGateway.nack, (body, local) => writeNack(body, local, lane, seq, verdict));
  }

  pause(connection: ConnectionId, lane: Lane, ms: number): void {
    this.#tell(connection, ToGateway.pause, (body, local) => writeUpTo(body, local, lane, Math.floor(ms)));
  }

  credit(connection: ConnectionId, bytes: number): void {
    this.#tell(connection, ToGateway.credit, (body, local) => writeNumber(body, local, bytes));
  }

  probe(connection: ConnectionId, withinMs: number): void {
    this.#tell(connection, ToGateway.probe, (body, local) => writeNumber(body, local, withinMs));
  }

  refuse(connection: ConnectionId, refusal: Parameters<GatewayPool['refuse']>[1]): void {
    this.#tell(connection, ToGateway.refuse, (body, local) => writeRefuse(body, local, refusal));
  }

  acknowledge(connection: ConnectionId, lane: Lane, upToSeq: number): void {
    this.#tell(connection, ToGateway.acknowledge, (body, local) => writeUpTo(body, local, lane, upToSeq));
  }

  request(connection: ConnectionId, lane: Lane, seq: number, row: Row): void {
    const at = this.#where.get(connection);
    if (at === undefined) return; // it went while the core was deciding
    const slot = this.#slots[at.slot]!;
    // A job asks thousands for the same.
    const isSame = isSameRow(slot.lastRequest, row);
    slot.lastRequest = row;
    if (isSame) slot.process.send(ToGateway.sameRequest, (body) => writeUpTo(body, at.local, lane, seq));
    else slot.process.send(ToGateway.request, (body) => writeRows(body, at.local, lane, seq, [row]));
  }

  grantBlob(connection: ConnectionId, sha256: string): void {
    this.#tell(connection, ToGateway.grantBlob, (body, local) => writeNamed(body, local, sha256));
  }

  close(connection: ConnectionId, reason: string, retryAfterMs = 0): void {
    this.#tell(connection, ToGateway.close, (body, local) => writeClose(body, local, reason, retryAfterMs));
  }

  setRevoked(serialsHex: ReadonlySet<string>): void {
    this.#revoked = new Set(serialsHex);
    for (const { process } of this.#slots) this.#pushRevoked(process);
  }

  setAuthorities(authorities: readonly TrustedAuthority[]): void {
    this.#setMaterial({ ...this.#material, authorities });
  }

  setCertificate({ keyPem, certificatePem }: { keyPem: string; certificatePem: string }): void {
    this.#setMaterial({ ...this.#material, keyPem, certificatePem });
  }

  #setMaterial(material: GatewayMaterial): void {
    if (isDeepStrictEqual(material, this.#material)) return;
    this.#material = material;
    for (const { process } of this.#slots) process.send(ToGateway.tls, (body) => writeJson(body, material));
  }

  addSchemas(schemas: Readonly<Record<string, string>>): void {
    const added = Object.entries(schemas).filter(([fingerprint, text]) => this.#schemas.get(fingerprint) !== text);
    for (const [fingerprint, text] of added) this.#schemas.set(fingerprint, text);
    for (const { process } of this.#slots) this.#pushSchemas(process, added);
  }

  get #limits() {
    return { ...defaultGatewayLimits, ...this.#option.limits };
  }

  #tell(connection: ConnectionId, kind: number, write: (body: ByteWriter, local: number) => void): void {
    const at = this.#where.get(connection);
    if (at === undefined) return; // it went while the core was deciding
    this.#slots[at.slot]!.process.send(kind, (body) => write(body, at.local));
  }

  #spawn(n: number, restartMs: number): Slot {
    const { fleetId, listen, blobDirectory, gatewayEntry, logLevel, logDestination } = this.#option;
    const config: GatewayConfig = {
      gateway: n,
      fleetId,
      listen: { host: listen.host, port: this.port },
      tls: this.#material,
      ticketKeysHex: this.#ticketKey.bytes.toString('hex'),
      blobDirectory,
      keyExchange: this.#option.keyExchange ?? 'hybrid',
      packing: this.#option.packing ?? defaultPacking,
      limits: this.#limits,
      logLevel: logLevel ?? 'info',
      logDestination: logDestination ?? 2,
    };
    const ids = new Map<number, ConnectionId>();
    const process = new GatewayProcess({
      entry: gatewayEntry,
      opensslConfigFile: this.#option.opensslConfigFile,
      config,
      onFrame: (kind, body) => this.#onFrame(n, ids, kind, body),
      onExit: (reason) => this.#onExit(n, ids, reason),
    });
    this.#pushRevoked(process);
    this.#pushSchemas(process, this.#schemas);
    return { process, ids, startedMs: performance.now(), restartMs, lastRequest: undefined };
  }

  #pushRevoked(process: GatewayProcess): void {
    process.send(ToGateway.revoked, (body) => writeSerials(body, this.#revoked));
  }

  #pushSchemas(process: GatewayProcess, schemas: Iterable<[fingerprint: string, text: string]>): void {
    for (const [fingerprint, text] of schemas) {
      process.send(ToGateway.schema, (body) => writeSchema(body, BigInt(`0x${fingerprint}`), text));
    }
  }

  #onFrame(slot: number, ids: Map<number, ConnectionId>, kind: number, body: ByteReader): void {
    const { handler } = this.#option;
    if (kind === ToCore.connect) {
      const { local, ...connect } = readConnect(body);
      this.#lastId += 1;
      const connection = this.#lastId;
      ids.set(local, connection);
      this.#where.set(connection, { slot, local });
      this.#call(() => handler.connect({ connection, gateway: slot, ...connect }));
    } else if (kind === ToCore.events) {
      const { local, lane, firstSeq, rows } = readRows(body);
      this.#call(() => handler.events(ids.get(local)!, lane, firstSeq, rows));
    } else if (kind === ToCore.gap) {
      const { local, lane, upToSeq, reason } = readGap(body);
      this.#call(() => handler.gap(ids.get(local)!, lane, upToSeq, reason));
    } else if (kind === ToCore.block) {
      const { local, lane, firstSeq, block } = readBlock(body);
      this.#call(() => handler.eventBlock(ids.get(local)!, lane, firstSeq, block));
    } else if (kind === ToCore.requestsAcked) {
      const { local, lane, upToSeq } = readUpTo(body);
      this.#call(() => handler.requestsAcked(ids.get(local)!, lane, upToSeq));
    } else if (kind === ToCore.schema) {
      const { local, fingerprint, text } = readDefine(body);
      this.#call(() => handler.schema(ids.get(local)!, fingerprint, text));
    } else if (kind === ToCore.disconnect) {
      const { local, reason, traffic } = readDisconnect(body);
      this.#call(() => this.#disconnect(ids, local, reason, traffic));
    } else if (kind === ToCore.probed) {
      const { local, value } = readNumber(body);
      this.#call(() => handler.probed(ids.get(local)!, value === 1));
    } else if (kind === ToCore.frameFault) {
      const fault = readFrameFault(body);
      this.#call(() => handler.frameFault(fault));
    } else {
      throw new RangeError(`a gateway said ${kind}`);
    }
  }

  #disconnect(
    ids: Map<number, ConnectionId>,
    local: number,
    reason: string,
    traffic = { receivedBytes: 0, sentBytes: 0 },
  ): void {
    const connection = ids.get(local)!;
    ids.delete(local);
    this.#where.delete(connection);
    this.#option.handler.disconnect(connection, reason, traffic);
  }

  #onExit(n: number, ids: Map<number, ConnectionId>, reason: string): void {
    this.#call(() => {
      for (const local of ids.keys()) this.#disconnect(ids, local, 'gateway ended');
    });
    if (this.#stopping) return;
    const slot = this.#slots[n];
    if (this.#early !== undefined || slot === undefined) return; // it never started: `ready` has rejected
    const lived = performance.now() - slot.startedMs;
    const restartMs = lived > 60_000 ? restartMinMs : Math.min(restartMaxMs, slot.restartMs * 2);
    this.#option.log.error(
      { gateway: n, reason, restartMs: slot.restartMs },
      'a gateway ended by itself; starting another',
    );
    setTimeout(() => {
      if (this.#stopping) return;
      this.#slots[n] = this.#spawn(n, restartMs);
      this.#slots[n].process.ready.catch((error: unknown) =>
        this.#option.log.error({ gateway: n, err: error }, 'a gateway did not start'),
      );
    }, slot.restartMs).unref();
  }

  #call(call: () => void): void {
    if (this.#early === undefined) call();
    else this.#early.push(call);
  }

  #scheduleRotation(): void {
    this.#rotation = setTimeout(() => {
      void this.#ticketKey.rotate().finally(() => {
        if (!this.#stopping) this.#scheduleRotation();
      });
      const { bytes: key } = this.#ticketKey;
      for (const { process } of this.#slots) process.send(ToGateway.ticketKeys, (body) => body.bytes(key));
    }, this.#ticketKey.rotateInMs).unref();
  }
}
