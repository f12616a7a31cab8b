import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { createLog, type Log } from '../../log.ts';
import type { ByteReader } from '../../protocol/byte-reader.ts';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../protocol/columns/index.ts';
import type { Row } from '../../protocol/lane.ts';
import type { PeerReader, TrustedAuthority } from '../../pki/peer-reader.ts';
import { encodeMessage } from '../../protocol/encode.ts';
import { readSchema, type KnownSchema } from '../../protocol/schema-catalogue.ts';
import type { Close, Effect } from '../../session/effect.ts';
import type { ByteStream } from '../../transport/byte-stream.ts';
import { Channel } from '../../transport/channel.ts';
import { createTlsListener, type TlsListener } from '../../transport/tls-listener.ts';
import { FlushQueue } from './flush-queue.ts';
import { closeCodeOf, closeText, GatewayConnection, type ConnectionOwner } from './gateway-connection.ts';
import {
  readAdmit,
  readClose,
  readJson,
  readNack,
  readNamed,
  readNumber,
  readRefuse,
  readRows,
  readSchemaText,
  readSerials,
  readUpTo,
  ToCore,
  ToGateway,
  writeBlock,
  writeConnect,
  writeDefine,
  writeDisconnect,
  writeFrameFault,
  writeGap,
  writeJson,
  writeNumber,
  writeRows,
  writeUpTo,
  type GatewayConfig,
} from './ipc.ts';
import { listenerMaterial } from './listener-material.ts';
import { judgePeer, type PeerRefusal } from './judge-peer.ts';
import type { GatewayMaterial } from './pool-option.ts';
import { retrySpread } from './retry-spread.ts';
import { runsOf } from './row-run.ts';
import { startError } from './start-error.ts';
import { WarmReaders } from './warm-reader.ts';

export interface GatewayOption {
  /** To the core; when it closes, so does the gateway. */
  core: Duplex;
  clock: Clock;
  /** Tells which device a verified certificate names; what it returns throws when it names none. */
  createPeerReader(fleetId: string, authorities: readonly TrustedAuthority[]): PeerReader;
  /** The channel to the core is gone; the process has nothing left to do. */
  onEnd(): void;
}

const sweepEveryMs = 250;
/** What may wait for the core before devices are read no more. */
const maxCoreBacklogBytes = 8 * 1024 * 1024;
const answerTimeoutMs = 20_000;
const drainMs = 3_000;
const finalRetryMs = 60_000;
const goodbyeMs = 500;

/** Runs a gateway until the core ends it. */
export function runGateway(option: GatewayOption): void {
  new Gateway(option).run();
}

class Gateway implements ConnectionOwner {
  readonly #option: GatewayOption;
  #core!: Channel;
  readonly #connections = new Map<number, GatewayConnection>();
  readonly #flushes: FlushQueue<GatewayConnection>;
  #config!: GatewayConfig;
  /** Grows while connections read by it; what stands in it never changes. */
  readonly #schemas = new Map<bigint, KnownSchema>();
  readonly #warm = new WarmReaders();
  /** One of each for all connections: this process does one thing at a time. */
  #workspace!: { encoder: BatchWorkspace; decoder: BatchDecoderWorkspace };
  #log!: Log;
  #listener: TlsListener | undefined;
  #authorities: readonly TrustedAuthority[] = [];
  #readPeer!: PeerReader;
  #revoked: ReadonlySet<string> = new Set();
  #lastId = 0;
  #lastRequest: readonly Row[] = [];
  #held = false;
  #draining = false;

  constructor(option: GatewayOption) {
    this.#option = option;
    this.#flushes = new FlushQueue(option.clock);
  }

  run(): void {
    this.#core = new Channel(
      this.#option.core,
      (kind, body) => this.#onCore(kind, body),
      () => this.#option.onEnd(),
    );
    this.#core.onDrain(() => this.#hold(false));
  }

  monotonicMs(): number {
    return this.#option.clock.monotonicMs();
  }

  effect(connection: GatewayConnection, effect: Effect): void {
    const { id } = connection;
    switch (effect.kind) {
      case 'hello': {
        if (this.#held) {
          connection.refuse('overloaded', this.#spreadMs(), 'the core is behind');
          break;
        }
        connection.announced = true;
        const { identity, resumed } = connection;
        const { address } = connection.stream;
        this.#core.send(ToCore.connect, (body) =>
          writeConnect(body, { ...effect.hello, local: id, identity, address, resumed }),
        );
        break;
      }
      case 'rows':
        this.#flushes.noteWork();
        for (const { firstSeq, rows, isProduct } of runsOf(effect.firstSeq, effect.rows)) {
          const write = isProduct ? writeBlock : writeRows;
          this.#core.send(isProduct ? ToCore.block : ToCore.events, (body) =>
            write(body, id, effect.lane, firstSeq, rows),
          );
        }
        if (this.#core.bufferedBytes > maxCoreBacklogBytes) this.#hold(true);
        break;
      case 'schema':
        this.#core.send(ToCore.schema, (body) => writeDefine(body, id, effect.fingerprint, effect.text));
        break;
      case 'acked':
        this.#core.send(ToCore.requestsAcked, (body) => writeUpTo(body, id, effect.lane, effect.upToSeq));
        break;
      case 'gap':
        this.#core.send(ToCore.gap, (body) => writeGap(body, id, effect));
        if (this.#core.bufferedBytes > maxCoreBacklogBytes) this.#hold(true);
        break;
      case 'nacked':
        this.#log.warn({ device: connection.identity.deviceId, ...effect }, 'the device says');
        break;
      default:
    }
  }

  dirty(connection: GatewayConnection, yields = false): void {
    if (yields) this.#flushes.addYielding(connection);
    else this.#flushes.add(connection);
  }

  gone(connection: GatewayConnection, reason: string, close: Close | undefined): void {
    this.#connections.delete(connection.id);
    this.#warm.keep(connection);
    const { deviceId } = connection.identity;
    const { address, traffic } = connection.stream;
    const why = close === undefined ? reason : closeText(close);
    const refused =
      close !== undefined &&
      close.by === 'us' &&
      (close.rejected || close.code === 'protocol-error' || !connection.announced);
    if (refused)
      this.#log.warn({ device: deviceId, address, reason: close.code, detail: close.detail }, 'connection refused');
    else this.#log.debug({ device: deviceId, address, reason: why }, 'connection ended');
    const { fault } = connection;
    if (fault !== undefined) this.#core.send(ToCore.frameFault, (body) => writeFrameFault(body, fault));
    if (connection.announced)
      this.#core.send(ToCore.disconnect, (body) => writeDisconnect(body, connection.id, why, traffic));
    if (this.#draining && this.#connections.size === 0) this.#core.end();
  }

  probed(connection: GatewayConnection, answered: boolean): void {
    this.#core.send(ToCore.probed, (body) => writeNumber(body, connection.id, answered ? 1 : 0));
  }

  broken(connection: GatewayConnection, error: unknown): void {
    this.#log.error({ device: connection.identity.deviceId, err: error }, 'a bug cost a connection');
  }

  #onCore(kind: number, body: ByteReader): void {
    switch (kind) {
      case ToGateway.configure:
        this.#start(readJson(body) as GatewayConfig).catch((error: unknown) => this.#fail(error));
        break;
      case ToGateway.admit: {
        const { local, id, ...admittance } = readAdmit(body);
        const serverTimeMs = this.#option.clock.nowMs();
        const connection = this.#connections.get(local);
        connection?.admit({ ...admittance, ...this.#warm.take(connection), sessionId: id, serverTimeMs });
        break;
      }
      case ToGateway.refuse: {
        const { local, code, retryAfterMs, detail } = readRefuse(body);
        this.#connections.get(local)?.refuse(code, retryAfterMs, detail);
        break;
      }
      case ToGateway.acknowledge: {
        const { local, lane, upToSeq } = readUpTo(body);
        this.#connections.get(local)?.acknowledge(lane, upToSeq);
        break;
      }
      case ToGateway.request: {
        const { local, lane, firstSeq, rows } = readRows(body);
        this.#lastRequest = rows;
        this.#connections.get(local)?.request(lane, firstSeq, rows);
        break;
      }
      case ToGateway.sameRequest: {
        const { local, lane, upToSeq: seq } = readUpTo(body);
        this.#connections.get(local)?.request(lane, seq, this.#lastRequest);
        break;
      }
      case ToGateway.grantBlob: {
        const { local, text } = readNamed(body);
        this.#connections.get(local)?.grantBlob(text);
        break;
      }
      case ToGateway.close: {
        const { local, reason, retryAfterMs } = readClose(body);
        this.#connections.get(local)?.close(closeCodeOf(reason), reason, retryAfterMs);
        break;
      }
      case ToGateway.open:
        this.#connections.get(readNumber(body).local)?.open();
        break;
      case ToGateway.nack: {
        const { local, lane, seq, verdict } = readNack(body);
        this.#connections.get(local)?.nack(lane, seq, verdict);
        break;
      }
      case ToGateway.pause: {
        const { local, lane, upToSeq: ms } = readUpTo(body);
        this.#connections.get(local)?.pause(lane, ms);
        break;
      }
      case ToGateway.credit:
      case ToGateway.probe: {
        const { local, value } = readNumber(body);
        this.#connections.get(local)?.[kind === ToGateway.probe ? 'probe' : 'credit'](value);
        break;
      }
      case ToGateway.revoked:
        this.#setRevoked(readSerials(body));
        break;
      case ToGateway.schema: {
        const { fingerprint, text } = readSchemaText(body);
        this.#schemas.set(fingerprint, readSchema(text));
        break;
      }
      case ToGateway.ticketKeys:
        this.#listener?.setTicketKeys(Uint8Array.from(body.bytes(48)));
        break;
      case ToGateway.tls:
        this.#setMaterial(readJson(body) as GatewayMaterial);
        break;
      case ToGateway.drain:
        this.#drain();
        break;
      default:
        throw new RangeError(`the core said ${kind}`);
    }
  }

  async #start(config: GatewayConfig): Promise<void> {
    this.#config = config;
    this.#workspace = { encoder: new BatchWorkspace(config.packing), decoder: new BatchDecoderWorkspace() };
    this.#log = createLog({ name: 'gateway', level: config.logLevel, destination: config.logDestination });
    const { tls, limits, listen } = config;
    this.#trust(tls.authorities);
    const listener = createTlsListener({
      ...listenerMaterial(tls),
      ticketKeys: Buffer.from(config.ticketKeysHex, 'hex'),
      keyExchange: config.keyExchange,
      maxConnections: limits.maxConnections,
      maxHandshakes: limits.maxHandshakes,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      onStream: (stream, peer, resumed) => this.#onStream(stream, peer, resumed),
      onRefused: (reason, address, detail) => this.#log.warn({ reason, address, detail }, 'connection refused'),
    });
    this.#listener = listener;
    const port = await listener.listen({ ...listen, reusePort: true });
    this.#sweep();
    this.#core.send(ToCore.ready, (body) => body.varint(port));
  }

  #fail(error: unknown): void {
    this.#core.send(ToCore.failed, (body) => writeJson(body, startError(error).toJSON()));
    this.#core.end();
  }

  #onStream(stream: ByteStream, certificate: X509Certificate, resumed: boolean): void {
    const verdict = judgePeer(certificate, {
      parseIdentity: this.#readPeer,
      fleetId: this.#config.fleetId,
      revoked: this.#revoked,
      nowMs: this.#option.clock.nowMs(),
    });
    if ('refusal' in verdict) return this.#turnAway(stream, verdict.refusal);
    const { identity } = verdict;
    if (this.#draining) return stream.destroy();
    const { limits, blobDirectory } = this.#config;
    this.#lastId += 1;
    const connection = new GatewayConnection(
      stream,
      {
        id: this.#lastId,
        identity,
        resumed,
        blobDirectory,
        maxQueuedBytes: limits.maxQueuedBytes,
        session: {
          keepaliveMs: limits.keepaliveMs,
          answerTimeoutMs,
          helloTimeoutMs: limits.helloTimeoutMs,
          maxQueuedBytes: limits.maxQueuedBytes,
          creditBytes: limits.creditBytes,
          schemas: this.#schemas,
          workspace: this.#workspace,
        },
      },
      this,
    );
    this.#connections.set(connection.id, connection);
    if (this.#held) connection.hold(true);
  }

  #turnAway(stream: ByteStream, { code, ...refusal }: PeerRefusal): void {
    if (code === undefined) stream.destroy();
    else {
      stream.write(encodeMessage({ type: 'reject', code, retryAfterMs: finalRetryMs, detail: '' }));
      stream.end();
      this.#option.clock.schedule(goodbyeMs, () => stream.destroy());
    }
    this.#log.warn({ address: stream.address, ...refusal }, 'connection refused');
  }

  #setRevoked(serials: ReadonlySet<string>): void {
    this.#revoked = serials;
    for (const connection of this.#connections.values()) {
      if (serials.has(connection.identity.serialHex)) connection.close('revoked', 'certificate revoked');
    }
  }

  /** Connections of those who are still trusted notice nothing. */
  #setMaterial(material: GatewayMaterial): void {
    this.#config = { ...this.#config, tls: material };
    const before = this.#authorities;
    this.#trust(material.authorities);
    this.#listener?.setMaterial(listenerMaterial(material));
    for (const connection of this.#connections.values()) {
      const { authority } = connection.identity;
      if (material.authorities.some(({ id }) => id === authority)) continue;
      const isForeign = before.find(({ id }) => id === authority)?.registration !== undefined;
      connection.close(isForeign ? 'revoked' : 'expired', `${authority} is not trusted any more`);
    }
  }

  #trust(authorities: readonly TrustedAuthority[]): void {
    this.#authorities = authorities;
    this.#readPeer = this.#option.createPeerReader(this.#config.fleetId, authorities);
  }

  /** One timer for all connections. */
  #sweep(): void {
    const nowMs = this.monotonicMs();
    for (const connection of this.#connections.values()) connection.sweep(nowMs);
    this.#option.clock.schedule(sweepEveryMs, () => this.#sweep());
  }

  #hold(is: boolean): void {
    if (this.#held === is) return;
    this.#held = is;
    for (const connection of this.#connections.values()) connection.hold(is);
  }

  #spreadMs(): number {
    return retrySpread(this.#config.limits.retrySpreadMs, this.#connections.size);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#listener?.close();
    for (const connection of this.#connections.values()) {
      connection.close('shutting-down', '', this.#spreadMs());
    }
    if (this.#connections.size === 0) this.#core.end();
    else this.#option.clock.schedule(drainMs, () => this.#core.end());
  }
}
