import { Buffer } from 'node:buffer';
import { Lane, type Row } from '../../protocol/lane.ts';
import { closeCodes, type CloseCode } from '../../protocol/message.ts';
import {
  CoordinatorSession,
  defaultCreditBytes,
  type Admission,
  type CoordinatorSessionOption,
} from '../../session/coordinator-session.ts';
import type { Close, Effect } from '../../session/effect.ts';
import type { ByteStream, StreamReceiver } from '../../transport/byte-stream.ts';
import type { Flushable } from './flush-queue.ts';
import { PartServer } from './part-server.ts';
import type { FrameFault, NackVerdict, PeerIdentity } from './port.ts';

/** One TLS record's worth in user space; the rest waits where urgent frames can still overtake it. */
const maxBufferedBytes = 16_384;
/** A peer that sends and does not read is not read either. */
const maxUnreadBytes = 65_536;

/** How long a peer that was told goodbye may keep its socket; nothing it sends is read any more. */
const goodbyeMs = 500;

/** Of what can't be parsed, for a person to look at. */
const keptFaultBytes = 256;

/** What a connection tells its gateway. */
export interface ConnectionOwner {
  effect(connection: GatewayConnection, effect: Effect): void;
  /** Wants a flush in this tick or a later one; `yields`: others may go first, for a while. */
  dirty(connection: GatewayConnection, yields?: boolean): void;
  /** Once. `close` is missing when the socket ended first. */
  gone(connection: GatewayConnection, reason: string, close: Close | undefined): void;
  /** The answer to `probe`. */
  probed(connection: GatewayConnection, answered: boolean): void;
  /** A bug of ours while it handled this connection. */
  broken(connection: GatewayConnection, error: unknown): void;
  monotonicMs(): number;
}

export interface ConnectionOption {
  id: number;
  identity: PeerIdentity;
  resumed: boolean;
  session: CoordinatorSessionOption;
  blobDirectory: string;
  maxQueuedBytes: number;
}

/** A device's stream, its session, and the parts it fetches. */
export class GatewayConnection implements StreamReceiver, Flushable {
  readonly id: number;
  readonly identity: PeerIdentity;
  readonly resumed: boolean;
  readonly stream: ByteStream;
  readonly session: CoordinatorSession;
  /** The core was told of it, and is told when it goes. */
  announced = false;
  queued = false;
  yields = false;
  /** What the device sent instead of frames: the end of this connection. */
  fault: FrameFault | undefined;
  readonly #owner: ConnectionOwner;
  readonly #option: ConnectionOption;
  #parts: PartServer | undefined;
  #close: Close | undefined;
  #gone = false;
  /** Not read: because it does not read itself, or because the whole gateway rests. Either is enough. */
  #heldBack = false;
  #gatewayRests = false;
  /** When a peer that was told goodbye is cut, if it does not go. */
  #cutAtMs = Infinity;
  #probeUntilMs = Infinity;
  /** Before this there is nothing to sweep for; 0 where that is not known. */
  #dueMs = 0;

  constructor(stream: ByteStream, option: ConnectionOption, owner: ConnectionOwner) {
    this.id = option.id;
    this.identity = option.identity;
    this.resumed = option.resumed;
    this.stream = stream;
    this.#option = option;
    this.#owner = owner;
    this.session = new CoordinatorSession(option.session, owner.monotonicMs());
    stream.attach(this);
  }

  onBytes(bytes: Uint8Array): void {
    this.#guard(() => {
      this.#apply(this.session.receive(bytes, this.#owner.monotonicMs()));
      const close = this.#close;
      if (close?.by !== 'us' || close.code !== 'protocol-error' || this.fault !== undefined) return;
      const { deviceId } = this.identity;
      this.fault = { deviceId, detail: close.detail, bytes: Uint8Array.from(bytes.subarray(0, keptFaultBytes)) };
    });
  }

  onDrain(): void {
    this.#rest({ heldBack: false });
    this.#owner.dirty(this);
  }

  onClose(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#parts?.stop();
    this.#owner.gone(this, reason, this.#close);
  }

  /** Lets time pass. */
  sweep(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    if (nowMs >= this.#cutAtMs) this.stream.destroy();
    else if (nowMs >= this.#probeUntilMs) this.#probed(false);
    else if (nowMs >= this.session.deadlineMs()) this.#guard(() => this.#apply(this.session.tick(nowMs)));
    else this.#dueMs = Math.min(this.#cutAtMs, this.#probeUntilMs, this.session.deadlineMs());
  }

  admit(admission: Admission): void {
    this.#apply(this.session.admit(admission));
  }

  refuse(code: CloseCode, retryAfterMs: number, detail: string): void {
    this.#apply(this.session.refuse(code, retryAfterMs, detail));
  }

  close(code: CloseCode, detail: string, retryAfterMs = 0): void {
    this.#apply(this.session.close(code, detail, retryAfterMs));
  }

  open(): void {
    this.session.open();
    this.#owner.dirty(this);
  }

  nack(lane: Lane, seq: number, verdict: NackVerdict): void {
    this.session.nack(lane, seq, verdict);
    this.#owner.dirty(this);
  }

  pause(lane: Lane, ms: number): void {
    this.session.pause(lane, ms);
    this.#owner.dirty(this);
  }

  credit(bytes: number): void {
    this.session.grantCredit(Math.min(bytes, this.#option.session.creditBytes ?? defaultCreditBytes));
    this.#owner.dirty(this);
  }

  /** A connection that is over already does not answer. */
  probe(withinMs: number): void {
    this.#probeUntilMs = this.#owner.monotonicMs() + withinMs;
    this.#dueMs = 0;
    this.session.probe();
    this.#owner.dirty(this);
  }

  #probed(answered: boolean): void {
    if (this.#probeUntilMs === Infinity) return;
    this.#probeUntilMs = Infinity;
    this.#owner.probed(this, answered);
  }

  acknowledge(lane: Lane, upToSeq: number): void {
    this.session.acknowledge(lane, upToSeq);
    // It gives back room in the lanes after the first: there a device may wait for it.
    this.#owner.dirty(this, lane === Lane.control);
  }

  request(lane: Lane, seq: number, rows: readonly Row[]): void {
    this.session.enqueue(lane, seq, rows);
    if (this.session.queuedBytes() > this.#option.maxQueuedBytes) this.close('overloaded', 'too many requests wait');
    this.#owner.dirty(this);
  }

  grantBlob(sha256Hex: string): void {
    this.#partServer().grant(sha256Hex);
  }

  /** Writes what the session has to say, as far as the socket takes it. */
  flush(): void {
    if (this.#gone) return;
    this.#guard(() => {
      if (this.stream.bufferedBytes >= maxUnreadBytes) {
        this.#rest({ heldBack: true });
        return;
      }
      const bytes = this.session.flush(this.#owner.monotonicMs(), maxBufferedBytes - this.stream.bufferedBytes);
      if (bytes !== undefined) this.stream.write(bytes);
      this.#dueMs = 0;
      if (this.#close !== undefined) this.stream.end();
      this.#parts?.pump();
      // Without room in the socket, `onDrain` asks again.
      if (this.session.pending && this.stream.bufferedBytes < maxBufferedBytes) this.#owner.dirty(this);
    });
  }

  /** For back-pressure of the whole gateway. */
  hold(is: boolean): void {
    this.#rest({ gatewayRests: is });
  }

  #rest({ heldBack = this.#heldBack, gatewayRests = this.#gatewayRests }): void {
    const before = this.#heldBack || this.#gatewayRests;
    this.#heldBack = heldBack;
    this.#gatewayRests = gatewayRests;
    const after = heldBack || gatewayRests;
    if (after && !before) this.stream.pause();
    else if (before && !after) this.stream.resume();
  }

  #apply(effects: Effect[]): void {
    this.#dueMs = 0;
    for (const effect of effects) {
      if (effect.kind === 'closed') {
        this.#close = effect.close;
        this.#cutAtMs = this.#owner.monotonicMs() + goodbyeMs;
      } else if (effect.kind === 'pong') {
        this.#probed(true);
      } else if (effect.kind === 'want') {
        const { id, offset, length } = effect;
        this.#partServer().want({ id, offset, length, sha256Hex: Buffer.from(effect.sha256).toString('hex') });
      } else if (effect.kind === 'want-cancelled') {
        this.#parts?.cancel(effect.id);
      } else {
        this.#owner.effect(this, effect);
      }
    }
    // Mostly there is nothing to say before the core has stored what came.
    if (this.session.pending || this.#close !== undefined || this.#parts !== undefined) this.#owner.dirty(this);
  }

  #partServer(): PartServer {
    this.#parts ??= new PartServer(this.#option.blobDirectory, this.session, () => this.#owner.dirty(this));
    return this.#parts;
  }

  /** A bug that one connection brings out costs that connection. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.stream.destroy();
      this.#owner.broken(this, error);
    }
  }
}

/** A reason of the core as a code that the wire knows, or `closed`. */
export function closeCodeOf(reason: string): CloseCode {
  if (reason === 'store-failed') return 'overloaded';
  return Object.hasOwn(closeCodes, reason) ? (reason as CloseCode) : 'closed';
}

/** For logs and events. */
export function closeText(close: Close): string {
  const side = close.by === 'us' ? '' : 'device: ';
  return `${side}${close.code}${close.detail === '' ? '' : ` (${close.detail})`}`;
}
