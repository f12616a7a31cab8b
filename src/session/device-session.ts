import { maxWantBytes } from '../protocol/limit.ts';
import { protocolVersion, type ChunkMessage, type Message } from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { allLanes, Session, type SessionOption } from './session.ts';
import { WantList } from './want-list.ts';

export interface DeviceGreeting {
  instanceId: bigint;
  knownCoordinatorInstanceId: bigint;
  nextSeq: number[];
  requestCursor: number[];
  agentVersion: string;
  /** This history is new: the first gap of each lane says so. */
  newInstance: boolean;
}

/** The device's end: says HELLO, sends events, receives requests, asks for parts of blobs. */
export class DeviceSession extends Session {
  readonly #greeting: DeviceGreeting;
  readonly #wants = new WantList();
  readonly #welcomeByMs: number;

  constructor(greeting: DeviceGreeting, option: SessionOption, nowMs: number) {
    super('device', 'greeting', option, nowMs);
    this.#greeting = greeting;
    this.#welcomeByMs = nowMs + option.answerTimeoutMs;
    this.say({
      type: 'hello',
      minVersion: protocolVersion,
      maxVersion: protocolVersion,
      features: 0,
      instanceId: greeting.instanceId,
      knownCoordinatorInstanceId: greeting.knownCoordinatorInstanceId,
      keepaliveMs: Math.floor(option.keepaliveMs),
      nextSeq: greeting.nextSeq,
      requestCursor: greeting.requestCursor,
      agentVersion: greeting.agentVersion,
      extensions: [],
    });
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
    if (message.version !== protocolVersion || message.features !== 0) {
      throw new ProtocolError('value', `version ${message.version}, features ${message.features}, never offered`);
    }
    const { instanceId, knownCoordinatorInstanceId, nextSeq, requestCursor, newInstance } = this.#greeting;
    const known = message.coordinatorInstanceId === knownCoordinatorInstanceId;
    for (const lane of allLanes) {
      this.outbound[lane].resume(message.eventCursor[lane]!, newInstance ? 'new-instance' : 'not-kept');
      this.inbound[lane].resume(known ? requestCursor[lane]! : 0);
    }
    this.keepalive.idleMs = Math.max(1, message.keepaliveMs);
    if (allLanes.some((lane) => message.eventCursor[lane]! >= nextSeq[lane]!)) {
      // The coordinator has events that this log never made: it was wiped or rolled back. Nothing may leave under this
      // instance any more, because its next numbers already name other events.
      this.end('instance-mismatch', `instance ${instanceId.toString(16)} is behind its own past`, 0);
      return;
    }
    this.effect({ kind: 'live', welcome: message });
  }

  protected override onChunk(message: ChunkMessage): void {
    const effect = this.#wants.receive(message);
    if (effect !== undefined) this.effect(effect);
  }

  protected override onTick(nowMs: number): void {
    if (this.state === 'greeting' && nowMs >= this.#welcomeByMs) this.end('timeout', 'no answer to HELLO', 0);
  }

  protected override ownDeadlineMs(): number {
    return this.state === 'greeting' ? this.#welcomeByMs : Infinity;
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
