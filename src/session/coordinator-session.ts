import { maxFrameBytes } from '../protocol/limit.ts';
import {
  protocolVersion,
  type ChunkMessage,
  type CloseCode,
  type Hello,
  type Message,
  type WantRefusal,
} from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Effect } from './effect.ts';
import { allLanes, clip, Session, type SessionOption } from './session.ts';
import { WantServer } from './want-server.ts';

export interface CoordinatorSessionOption extends SessionOption {
  helloTimeoutMs: number;
}

export interface Admission {
  coordinatorInstanceId: bigint;
  sessionId: number;
  eventCursor: number[];
  serverTimeMs: number;
}

/** Parts that are read ahead of what has left. */
const maxReadyBytes = 32_768;

/** The coordinator's end: waits for HELLO and the core's word, receives events, sends requests, serves parts. */
export class CoordinatorSession extends Session {
  readonly #wants = new WantServer();
  readonly #helloByMs: number;
  readonly #answerTimeoutMs: number;
  readonly #maxKeepaliveMs: number;
  #hello: Hello | undefined;
  /** What the device was told; it speaks at least this often. */
  #keepaliveMs: number;

  constructor(option: CoordinatorSessionOption, nowMs: number) {
    super('coordinator', 'awaiting', { ...option, keepaliveMs: Infinity }, nowMs);
    this.#helloByMs = nowMs + option.helloTimeoutMs;
    this.#answerTimeoutMs = option.answerTimeoutMs;
    this.#maxKeepaliveMs = option.keepaliveMs;
    this.#keepaliveMs = option.keepaliveMs;
  }

  /** The core's yes to HELLO. */
  admit(admission: Admission): Effect[] {
    const hello = this.#hello;
    if (hello === undefined || this.state !== 'deciding') return []; // it ended while the core thought
    this.act('admit');
    this.#keepaliveMs = Math.min(Math.max(hello.keepaliveMs, 1_000), this.#maxKeepaliveMs);
    const known = hello.knownCoordinatorInstanceId === admission.coordinatorInstanceId;
    for (const lane of allLanes) {
      this.inbound[lane].resume(admission.eventCursor[lane]!);
      this.outbound[lane].resume(known ? hello.requestCursor[lane]! : 0, 'withdrawn');
    }
    this.say({
      type: 'welcome',
      version: protocolVersion,
      features: 0,
      coordinatorInstanceId: admission.coordinatorInstanceId,
      sessionId: admission.sessionId,
      eventCursor: admission.eventCursor,
      keepaliveMs: this.#keepaliveMs,
      maxFrameBytes,
      serverTimeMs: Math.floor(admission.serverTimeMs),
      extensions: [],
    });
    return this.takeEffects();
  }

  /** The core's no. */
  refuse(code: CloseCode, retryAfterMs: number, text: string): Effect[] {
    if (this.state !== 'deciding') return [];
    const detail = clip(text);
    this.act('refuse');
    this.say({ type: 'reject', code, retryAfterMs: Math.floor(retryAfterMs), detail });
    this.finish({ by: 'us', rejected: true, code, retryAfterMs, detail });
    return this.takeEffects();
  }

  /** Bytes of parts that are worth reading now: none while those that are ready can't leave. */
  partRoom(): number {
    return this.state === 'live' ? Math.max(0, maxReadyBytes - this.#wants.readyBytes) : 0;
  }

  /** The next bytes of a part; false when nobody waits for them any more. */
  provide(id: number, bytes: Uint8Array): boolean {
    return this.state === 'live' && this.#wants.provide(id, bytes);
  }

  refuseWant(id: number, code: WantRefusal): void {
    this.#wants.refuse(id, code);
  }

  protected override onHandshake(message: Message): void {
    if (message.type !== 'hello') throw new ProtocolError('frame-type', `${message.type} is what a coordinator says`);
    this.#hello = message;
    if (message.minVersion > protocolVersion || message.maxVersion < protocolVersion) {
      const expected = `${message.minVersion} to ${message.maxVersion}`;
      this.end('unsupported-protocol', `I speak version ${protocolVersion}, you speak ${expected}`, 3_600_000);
      return;
    }
    this.effect({ kind: 'hello', hello: message });
  }

  protected override onChunk(message: ChunkMessage, nowMs: number): void {
    const { effect, took } = this.#wants.receive(message, nowMs);
    if (took !== undefined && took.bytes > 0) this.window.acked(took.bytes, took.delayMs);
    if (effect !== undefined) this.effect(effect);
  }

  protected override onTick(nowMs: number): void {
    if (this.state === 'awaiting' && nowMs >= this.#helloByMs) this.end('timeout', 'no HELLO', 0);
    else if (this.state === 'live' && nowMs >= this.#silentAtMs()) {
      this.end('timeout', `silent for ${Math.round(nowMs - this.keepalive.receivedMs)} ms`, 0);
    }
  }

  protected override ownDeadlineMs(): number {
    if (this.state === 'awaiting') return this.#helloByMs;
    return this.state === 'live' ? this.#silentAtMs() : Infinity;
  }

  /** The device would have asked for a sign of life long ago. */
  #silentAtMs(): number {
    return this.keepalive.receivedMs + this.#keepaliveMs * 1.5 + this.#answerTimeoutMs;
  }

  protected override flushControl(): void {
    for (let refusal = this.#wants.takeRefusal(); refusal !== undefined; refusal = this.#wants.takeRefusal()) {
      this.say({ type: 'want-refused', ...refusal });
    }
  }

  protected override bulkBytes(): number | undefined {
    return this.#wants.nextBytes;
  }

  protected override takeBulk(nowMs: number): ChunkMessage | undefined {
    const piece = this.#wants.take(nowMs);
    return piece === undefined ? undefined : { type: 'data', ...piece };
  }

  protected override awaitsPeer(): boolean {
    return false;
  }
}
