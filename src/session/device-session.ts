import { maxFrameBytes, maxWantBytes } from '../protocol/limit.ts';
import type { Lane } from '../protocol/lane.ts';
import {
  extensionTags,
  spokenFeatures,
  spokenVersions,
  type ChunkMessage,
  type CreditMessage,
  type Message,
  type Ping,
  type Standing,
} from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { RowEncoder } from '../protocol/row-encoder.ts';
import { KeepaliveInterval } from './keepalive-interval.ts';
import { commonFeatures, hasFeature } from './negotiate.ts';
import { tokenBytes } from './row-frames.ts';
import { allLanes } from './per-lane.ts';
import { Session, type SessionOption } from './session.ts';
import { WantList } from './want-list.ts';

export interface DeviceGreeting {
  instanceId: bigint;
  knownCoordinatorInstanceId: bigint;
  nextSeq: number[];
  /** The highest number of each lane that ever left under this instance. Missing: all before `nextSeq` may have. */
  sentSeq?: number[];
  requestCursor: number[];
  agentVersion: string;
  /** This history is new: the first gap of each lane says so. */
  newInstance: boolean;
}

export interface DeviceSessionOption extends SessionOption {
  /** What an earlier session has left of the rows' state: worth about 50 bytes a stream when the coordinator has it too. */
  warm?: RowEncoder;
  /** Grows and shrinks with what the way bears; kept from session to session. Missing: `keepaliveMs` for ever. */
  interval?: KeepaliveInterval;
}

/** The device's end: says HELLO, sends events, receives requests, asks for parts of blobs. */
export class DeviceSession extends Session {
  readonly #greeting: DeviceGreeting;
  readonly #wants = new WantList();
  readonly #welcomeByMs: number;
  readonly #interval: KeepaliveInterval;
  /** The longest silence that the coordinator bears. */
  #capMs = Infinity;
  /** What the PING that is out has promised. */
  #promisedMs = 0;
  readonly #pausedUntilMs = [0, 0, 0, 0];
  readonly #warm: RowEncoder | undefined;

  constructor(greeting: DeviceGreeting, option: DeviceSessionOption, nowMs: number) {
    const { keepaliveMs } = option;
    const interval =
      option.interval ?? new KeepaliveInterval({ startMs: keepaliveMs, minMs: keepaliveMs, maxMs: keepaliveMs });
    super('device', 'greeting', { ...option, keepaliveMs: interval.currentMs }, nowMs);
    this.#interval = interval;
    this.#greeting = greeting;
    this.#warm = option.warm;
    this.#welcomeByMs = nowMs + option.answerTimeoutMs;
    this.say({
      type: 'hello',
      minVersion: spokenVersions.min,
      maxVersion: spokenVersions.max,
      features: spokenFeatures,
      instanceId: greeting.instanceId,
      knownCoordinatorInstanceId: greeting.knownCoordinatorInstanceId,
      keepaliveMs: Math.floor(interval.currentMs),
      nextSeq: greeting.nextSeq,
      requestCursor: greeting.requestCursor,
      agentVersion: greeting.agentVersion,
      extensions:
        option.warm === undefined ? [] : [{ tag: extensionTags.warm, value: tokenBytes(option.warm.token()) }],
    });
  }

  /** How the coordinator regards this device; what is not `accepted` has the control lane alone. */
  get regarded(): Standing {
    return this.standing;
  }

  /** For the next session's `warm`. */
  get writer(): RowEncoder | undefined {
    return this.rows.encoder ?? this.#warm;
  }

  /** Parts that were asked for and are not whole. */
  get wants(): number {
    return this.#wants.size;
  }

  /** Asks for a part; `data` effects with this id follow, or `want-refused`. */
  want(sha256: Uint8Array, offset: number, length: number): number {
    if (length < 1 || length > maxWantBytes) throw new RangeError(`a part of ${length} bytes`);
    const id = this.#wants.add(length);
    this.say({ type: 'want', id, sha256, offset, length });
    return id;
  }

  cancelWant(id: number): void {
    if (this.#wants.cancel(id) && this.state === 'live') this.say({ type: 'want-cancelled', id });
  }

  protected override onHandshake(message: Message): void {
    if (message.type !== 'welcome') throw new ProtocolError('frame-type', `${message.type} is what a device says`);
    const { version, features } = message;
    if (message.maxFrameBytes !== maxFrameBytes) {
      // Rows are in the log already that may need all of it.
      throw new ProtocolError('value', `frames of ${message.maxFrameBytes} bytes`, { expected: `${maxFrameBytes}` });
    }
    const offered = version >= spokenVersions.min && version <= spokenVersions.max;
    if (!offered || commonFeatures(features, spokenFeatures) !== features) {
      throw new ProtocolError('value', `version ${version}, features ${features}, never offered`);
    }
    this.rows.passing = hasFeature(message.features, 'passingStreams');
    if (this.#warm !== undefined && message.extensions.some(({ tag }) => tag === extensionTags.warm)) {
      this.rows.resume({ encoder: this.#warm });
    }
    this.standing = message.standing;
    this.window.creditBytes = message.creditBytes;
    const { instanceId, knownCoordinatorInstanceId, nextSeq, requestCursor, newInstance } = this.#greeting;
    const sentSeq = this.#greeting.sentSeq ?? nextSeq.map((seq) => seq - 1);
    const told = message.coordinatorInstanceId;
    const coordinatorInstanceId = told === 'known' ? knownCoordinatorInstanceId : told;
    if (coordinatorInstanceId === 0n) throw new ProtocolError('value', 'a coordinator without an instance id');
    const known = coordinatorInstanceId === knownCoordinatorInstanceId;
    for (const lane of allLanes) {
      this.outbound[lane].resume(message.eventCursor[lane]!, newInstance ? 'new-instance' : 'not-kept');
      this.inbound[lane].resume(known ? requestCursor[lane]! : 0);
    }
    this.#capMs = Math.max(1, message.keepaliveMs);
    this.keepalive.idleMs = Math.min(this.#interval.currentMs, this.#capMs);
    if (allLanes.some((lane) => message.eventCursor[lane]! > sentSeq[lane]!)) {
      // The coordinator has events that this log never sent: it was wiped or rolled back, and what it has appended since
      // bears numbers that name other events. Nothing may leave under this instance any more.
      this.end('instance-mismatch', `instance ${instanceId.toString(16)} is behind its own past`, 0);
      return;
    }
    this.effect({ kind: 'live', welcome: { ...message, coordinatorInstanceId } });
  }

  protected override onChunk(message: ChunkMessage): void {
    const effect = this.#wants.receive(message);
    if (effect !== undefined) this.effect(effect);
  }

  protected override onCredit(message: CreditMessage, nowMs: number): void {
    if (message.type === 'credit') this.window.creditBytes = message.bytes;
    else if (message.type === 'pause') {
      this.paused[message.lane] = message.ms > 0;
      this.#pausedUntilMs[message.lane] = nowMs + message.ms;
    } else if (this.standing === 'accepted') {
      throw new ProtocolError('frame-type', 'OPEN while all lanes are open');
    } else {
      this.standing = 'accepted';
      this.effect({ kind: 'opened' });
    }
  }

  protected override onPing(message: Ping): void {
    if (message.keepaliveMs !== 0) throw new ProtocolError('value', 'a promise of silence is what a device makes');
  }

  protected override nextKeepaliveMs(): number {
    const { idleMs, askedAtRest } = this.keepalive;
    if (!askedAtRest) return 0;
    const nextMs = this.#interval.nextMs(idleMs, this.#capMs);
    this.#promisedMs = nextMs === idleMs ? 0 : nextMs;
    return this.#promisedMs;
  }

  protected override onPong(): void {
    if (!this.keepalive.answered()) return;
    const { idleMs } = this.keepalive;
    const nextMs = this.#promisedMs === 0 ? idleMs : this.#promisedMs;
    this.#promisedMs = 0;
    this.#interval.proved(idleMs, nextMs);
    this.keepalive.idleMs = nextMs;
  }

  protected override onDead(): void {
    if (this.keepalive.askedAtRest) this.#interval.lost(this.keepalive.idleMs);
  }

  protected override checkCredit(): void {
    // Requests are bounded by the coordinator's own window.
  }

  protected override onTick(nowMs: number): void {
    for (const lane of allLanes) if (nowMs >= this.#pausedUntilMs[lane]!) this.paused[lane] = false;
    if (this.state === 'greeting' && nowMs >= this.#welcomeByMs) this.end('timeout', 'no answer to HELLO', 0);
  }

  protected override ownDeadlineMs(): number {
    if (this.state === 'greeting') return this.#welcomeByMs;
    return Math.min(
      Infinity,
      ...allLanes.filter((lane) => this.#rests(lane)).map((lane) => this.#pausedUntilMs[lane]!),
    );
  }

  /** It has something to say as soon as it may. */
  #rests(lane: Lane): boolean {
    return this.paused[lane] === true && this.outbound[lane].nextBytes !== undefined;
  }

  protected override flushControl(): void {
    const bytes = this.#wants.takeTook();
    if (bytes > 0) this.say({ type: 'took', bytes });
  }

  protected override bulkBytes(): undefined {
    return undefined;
  }

  protected override takeBulk(): undefined {
    return undefined;
  }

  protected override awaitsPeer(): boolean {
    return this.#wants.size > 0;
  }
}
