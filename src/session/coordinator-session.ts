import { Buffer } from 'node:buffer';
import { maxFrameBytes } from '../protocol/limit.ts';
import {
  extensionTags,
  spokenFeatures,
  spokenVersions,
  type ChunkMessage,
  type CloseCode,
  type Hello,
  type Message,
  type Ping,
  type Standing,
  type WantRefusal,
} from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { RowDecoder } from '../protocol/row-decoder.ts';
import type { Lane } from '../protocol/lane.ts';
import type { Effect } from './effect.ts';
import { commonFeatures, commonVersion, hasFeature } from './negotiate.ts';
import { clip } from './clip.ts';
import { allLanes } from './per-lane.ts';
import { Session, type SessionOption } from './session.ts';
import { tokenBytes } from './row-frames.ts';
import { WantServer } from './want-server.ts';

export interface CoordinatorSessionOption extends SessionOption {
  helloTimeoutMs: number;
  /** Events of lanes 1 to 3 that one device may have on their way. Default 1 MiB. */
  creditBytes?: number;
}

export interface Admission {
  coordinatorInstanceId: bigint;
  sessionId: number;
  eventCursor: number[];
  serverTimeMs: number;
  /** Default `accepted`. */
  standing?: Standing;
  /** What an earlier session of this device and instance has left of the rows' state. */
  warm?: RowDecoder;
}

export const defaultCreditBytes = 1_048_576;
const unsupportedRetryMs = 3_600_000;

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
  /** The most that was ever granted: what is on its way may be older than a cut. */
  #creditBytes: number;
  #version: number = spokenVersions.max;
  #probing = false;

  constructor(option: CoordinatorSessionOption, nowMs: number) {
    super('coordinator', 'awaiting', { ...option, keepaliveMs: Infinity }, nowMs);
    this.#helloByMs = nowMs + option.helloTimeoutMs;
    this.#answerTimeoutMs = option.answerTimeoutMs;
    this.#maxKeepaliveMs = option.keepaliveMs;
    this.#keepaliveMs = option.keepaliveMs;
    this.#creditBytes = option.creditBytes ?? defaultCreditBytes;
  }

  /** The core's yes to HELLO. */
  admit(admission: Admission): Effect[] {
    const hello = this.#hello;
    if (hello === undefined || this.state !== 'deciding') return []; // it ended while the core thought
    this.act('admit');
    this.standing = admission.standing ?? 'accepted';
    this.#keepaliveMs = Math.min(Math.max(hello.keepaliveMs, 1_000), this.#maxKeepaliveMs);
    const features = commonFeatures(hello.features, spokenFeatures);
    this.rows.passing = hasFeature(features, 'passingStreams');
    const { warm } = admission;
    const offered = hello.extensions.find(({ tag }) => tag === extensionTags.warm)?.value;
    const isWarm =
      warm !== undefined && offered !== undefined && Buffer.compare(offered, tokenBytes(warm.token())) === 0;
    if (isWarm) this.rows.resume({ decoder: warm });
    const known = hello.knownCoordinatorInstanceId === admission.coordinatorInstanceId;
    for (const lane of allLanes) {
      this.inbound[lane].resume(admission.eventCursor[lane]!);
      this.outbound[lane].resume(known ? hello.requestCursor[lane]! : 0, 'withdrawn');
    }
    this.say({
      type: 'welcome',
      version: this.#version,
      features,
      standing: this.standing,
      coordinatorInstanceId: known ? 'known' : admission.coordinatorInstanceId,
      sessionId: admission.sessionId,
      eventCursor: admission.eventCursor,
      keepaliveMs: Math.floor(this.#maxKeepaliveMs),
      creditBytes: this.#creditBytes,
      maxFrameBytes,
      serverTimeMs: Math.floor(admission.serverTimeMs),
      extensions: isWarm ? [{ tag: extensionTags.warm, value: new Uint8Array(0) }] : [],
    });
    return this.takeEffects();
  }

  /** As HELLO told it. */
  get instanceId(): bigint | undefined {
    return this.#hello?.instanceId;
  }

  /** For the next session's `warm`. */
  get reader(): RowDecoder | undefined {
    return this.rows.decoder;
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

  /** The device was accepted: all lanes are open from now on, on both sides. */
  open(): void {
    if (this.state !== 'live' || this.standing === 'accepted') return;
    this.standing = 'accepted';
    this.say({ type: 'open' });
  }

  /** The device sends nothing of this lane for so long. What is on its way still comes. */
  pause(lane: Lane, ms: number): void {
    if (this.state === 'live') this.say({ type: 'pause', lane, ms: Math.floor(ms) });
  }

  /** Another measure of what may be on its way. */
  grantCredit(bytes: number): void {
    if (this.state !== 'live') return;
    this.#creditBytes = Math.max(this.#creditBytes, bytes);
    this.say({ type: 'credit', bytes });
  }

  /** Is somebody there? A `pong` effect is the answer. */
  probe(): void {
    if (this.state !== 'live') return;
    this.#probing = true;
    this.ask(0);
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
    const version = commonVersion(message, spokenVersions);
    if (version === undefined) {
      const theirs = `${message.minVersion} to ${message.maxVersion}`;
      const detail = `I speak versions ${spokenVersions.min} to ${spokenVersions.max}, you speak ${theirs}`;
      this.end('unsupported-protocol', detail, unsupportedRetryMs);
      return;
    }
    this.#version = version;
    this.effect({ kind: 'hello', hello: message });
  }

  protected override onCredit(): void {
    throw new ProtocolError('frame-type', 'CREDIT is what a coordinator says');
  }

  protected override onPing({ keepaliveMs }: Ping): void {
    if (keepaliveMs > this.#maxKeepaliveMs) {
      throw new ProtocolError('value', `a silence of ${keepaliveMs} ms`, {
        expected: `at most ${this.#maxKeepaliveMs}`,
      });
    }
    if (keepaliveMs > 0) this.#keepaliveMs = Math.max(keepaliveMs, 1_000);
  }

  protected override onPong(): void {
    if (!this.#probing) return;
    this.#probing = false;
    this.effect({ kind: 'pong' });
  }

  protected override onDead(): void {
    // Nothing to learn: the device measures the way.
  }

  protected override nextKeepaliveMs(): number {
    return 0;
  }

  /** One row always may, however large. */
  protected override checkCredit(lane: Lane, bytes: number): void {
    if (lane === 0) return;
    const unackedBytes = this.inbound[1].unackedBytes + this.inbound[2].unackedBytes + this.inbound[3].unackedBytes;
    if (unackedBytes === 0 || unackedBytes + bytes <= this.#creditBytes) return;
    throw new ProtocolError('lane', `${unackedBytes + bytes} unacknowledged bytes`, {
      expected: `at most ${this.#creditBytes}`,
    });
  }

  protected override onChunk(message: ChunkMessage, nowMs: number): void {
    if (this.standing !== 'accepted') throw new ProtocolError('lane', `no parts for a ${this.standing} device`);
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
