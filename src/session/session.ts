import { Buffer } from 'node:buffer';
import { ByteWriter } from '../protocol/byte-writer.ts';
import { decodeMessage } from '../protocol/decode.ts';
import { writeMessage } from '../protocol/encode.ts';
import { FrameDecoder, maxBodyBytes } from '../protocol/frame.ts';
import { laneCount, type Lane, type Row } from '../protocol/lane.ts';
import { clip } from './clip.ts';
import type {
  ChunkMessage,
  CloseCode,
  CreditMessage,
  GapReason,
  Message,
  Nack,
  Ping,
  RowMessage,
  Standing,
} from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { laneOfBody, UnknownSchema } from '../protocol/row-decoder.ts';
import { BulkWindow, defaultBulkWindow, type BulkWindowOption } from './bulk-window.ts';
import type { Close, Effect } from './effect.ts';
import { InboundLane } from './inbound-lane.ts';
import { Keepalive } from './keepalive.ts';
import { rowOverheadBytes } from './outbound-lane.ts';
import { OutboundLanes } from './outbound-lanes.ts';
import { allLanes, perLane } from './per-lane.ts';
import { RowFrames, schemaText, type RowOption } from './row-frames.ts';
import { Scheduler } from './scheduler.ts';
import { frameName, nextState, type Role, type SessionInput, type SessionState } from './transition.ts';

export interface SessionOption extends RowOption {
  keepaliveMs: number;
  /** For HELLO, WELCOME and PONG. */
  answerTimeoutMs: number;
  /** Rows of one lane that wait in memory. */
  maxQueuedBytes?: number;
  bulkWindow?: BulkWindowOption;
}

/** What a session writes in one flush, of whichever session: most of a large fleet is silent. */
const outgoing = new ByteWriter(4_096);

const defaultMaxQueuedBytes = 65_536;

/**
 * One authenticated peer, without sockets and without a clock: bytes and time go in, effects and bytes come out.
 * Nothing here throws for what a peer sent: it closes the session and says so.
 */
export abstract class Session {
  readonly #role: Role;
  #state: SessionState;
  readonly #decoder: FrameDecoder;
  /** Small things that wait for the next flush. */
  #control: ByteWriter | undefined;
  protected readonly rows: RowFrames;
  readonly #scheduler = new Scheduler();
  readonly #maxQueuedBytes: number;
  #effects: Effect[] = [];
  /** Something may have been stored that was not acknowledged. */
  #stored = false;
  #pongsDue = 0;
  /** Anything but `accepted`: the control lane alone. */
  protected standing: Standing = 'accepted';
  readonly #sending = new OutboundLanes();
  protected readonly paused = this.#sending.paused;
  protected readonly outbound = this.#sending.lanes;
  protected readonly inbound = perLane(() => new InboundLane());
  protected readonly window: BulkWindow;
  protected readonly keepalive: Keepalive;

  constructor(role: Role, state: SessionState, option: SessionOption, nowMs: number) {
    this.#role = role;
    this.#state = state;
    this.#decoder = new FrameDecoder((type) => this.#allowed(type));
    this.#maxQueuedBytes = option.maxQueuedBytes ?? defaultMaxQueuedBytes;
    this.rows = new RowFrames(option);
    this.window = new BulkWindow(option.bulkWindow ?? defaultBulkWindow);
    this.keepalive = new Keepalive(option.keepaliveMs, option.answerTimeoutMs, nowMs);
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Bytes as they came, in any cuts. */
  receive(chunk: Uint8Array, nowMs: number): Effect[] {
    if (this.#state === 'closed') return [];
    this.keepalive.received(nowMs);
    try {
      for (const frame of this.#decoder.push(chunk)) {
        const input = frameName(frame.type)!;
        const message = decodeMessage(frame);
        this.#move(input);
        this.#handle(message, nowMs);
        if (this.state === 'closed') break;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.end('protocol-error', error.message, 0);
    }
    if (this.#state === 'live') this.#watch(nowMs);
    return this.takeEffects();
  }

  /** Lets time pass; call at `deadlineMs()` or any time. */
  tick(nowMs: number): Effect[] {
    if (this.#state === 'closed') return [];
    this.onTick(nowMs);
    if (this.state === 'live') {
      const due = this.keepalive.tick(nowMs);
      if (due === 'dead') {
        this.onDead();
        this.end('timeout', `no sign of life for ${Math.round(nowMs - this.keepalive.receivedMs)} ms`, 0);
      } else if (due === 'ping') this.ask(this.nextKeepaliveMs());
    }
    return this.takeEffects();
  }

  /** When `tick` has something to do next; Infinity when never. */
  deadlineMs(): number {
    if (this.#state === 'closed') return Infinity;
    return Math.min(this.ownDeadlineMs(), this.#state === 'live' ? this.keepalive.deadlineMs() : Infinity);
  }

  /** May rows of this lane travel? */
  laneOpen(lane: Lane): boolean {
    return this.#state === 'live' && (lane === 0 || this.standing === 'accepted');
  }

  /** How many bytes of rows this lane takes now. */
  room(lane: Lane): number {
    return this.laneOpen(lane) ? Math.max(0, this.#maxQueuedBytes - this.outbound[lane].queuedBytes) : 0;
  }

  /** Bytes of rows that wait, all lanes. */
  queuedBytes(): number {
    return this.#sending.queuedBytes;
  }

  /** The last number of this lane that is queued, sent or stored by the peer: read on after it. */
  queuedSeq(lane: Lane): number {
    return this.outbound[lane].queuedSeq;
  }

  /** Queues rows with consecutive numbers; those that were queued before are left out. */
  enqueue(lane: Lane, firstSeq: number, rows: readonly Row[]): void {
    if (this.laneOpen(lane)) this.#sending.enqueue(lane, firstSeq, rows);
  }

  /** No row comes for the numbers of this lane up to and including `upToSeq`: the peer is told why. */
  leaveOut(lane: Lane, upToSeq: number, reason: GapReason): void {
    if (this.laneOpen(lane)) this.#sending.leaveOut(lane, upToSeq, reason);
  }

  /** Everything of this lane up to and including `upToSeq` is on our disk. */
  acknowledge(lane: Lane, upToSeq: number): void {
    this.#stored = true;
    this.inbound[lane].stored(upToSeq);
  }

  /** A row of the peer that was not taken as it is; for a class that ends in a dead letter, acknowledge it after this. */
  nack(lane: Lane, seq: number, verdict: Pick<Nack, 'class' | 'code' | 'retryAfterMs' | 'detail'>): void {
    const { ackedSeq, receivedSeq } = this.inbound[lane];
    if (this.#state !== 'live' || seq <= ackedSeq || seq > receivedSeq) return;
    const { class: kind, code, retryAfterMs } = verdict;
    const detail = clip(verdict.detail);
    this.say({ type: 'nack', lane, ahead: seq - ackedSeq - 1, class: kind, code, retryAfterMs, detail });
  }

  /** Says why and ends. Bytes for the peer may be left: flush once more. */
  close(code: CloseCode, detail: string, retryAfterMs = 0): Effect[] {
    if (this.#state !== 'closed') this.end(code, detail, retryAfterMs);
    return this.takeEffects();
  }

  /**
   * The frames to write now, as one piece: acknowledgements and other small things whatever the budget, then rows and
   * parts by urgency until `maxBytes` are reached. Undefined when there is nothing.
   */
  flush(nowMs: number, maxBytes: number): Uint8Array | undefined {
    outgoing.clear();
    if (this.#control !== undefined) outgoing.bytes(this.#control.view());
    this.#control = outgoing;
    try {
      if (this.#state === 'live') this.#fill(nowMs, maxBytes);
    } finally {
      this.#control = undefined;
    }
    return outgoing.length > 0 ? Buffer.from(outgoing.view()) : undefined;
  }

  #fill(nowMs: number, maxBytes: number): void {
    for (const lane of this.#stored ? allLanes : []) {
      const count = this.inbound[lane].takeAck();
      if (count > 0) this.say({ type: 'ack', lane, count });
    }
    this.#stored = false;
    this.flushControl();
    while (outgoing.length < maxBytes && this.#sendNext(nowMs));
    this.#watch(nowMs);
  }

  #watch(nowMs: number): void {
    const isWaiting = this.window.unackedBytes > 0 || !this.outbound[0].inFlight.empty || this.awaitsPeer();
    this.keepalive.waiting(isWaiting, nowMs);
  }

  /** Is there something that a flush with room would write, not counting what was acknowledged with `acknowledge`? */
  get pending(): boolean {
    if (this.#control !== undefined) return true;
    return this.#state === 'live' && this.#ready().includes(true);
  }

  protected say(message: Message): void {
    writeMessage((this.#control ??= new ByteWriter(64)), message);
  }

  /** @param keepaliveMs what the silence may grow to once this is answered, 0 for no change */
  protected ask(keepaliveMs: number): void {
    this.#pongsDue += 1;
    this.say({ type: 'ping', keepaliveMs });
  }

  protected effect(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Our own act; an act that the state does not know is a bug of ours. */
  protected act(input: SessionInput): void {
    const next = nextState(this.#role, this.#state, input);
    if (next === undefined) throw new RangeError(`${input} while ${this.#state}`);
    this.#state = next;
  }

  protected finish(close: Close): void {
    this.#state = 'closed';
    this.effect({ kind: 'closed', close });
  }

  /** HELLO, WELCOME, REJECT. */
  protected abstract onHandshake(message: Message, nowMs: number): void;
  protected abstract onChunk(message: ChunkMessage, nowMs: number): void;
  /** CREDIT, PAUSE, OPEN; the table lets them come to a device alone. */
  protected abstract onCredit(message: CreditMessage, nowMs: number): void;
  protected abstract onPing(message: Ping): void;
  protected abstract onPong(): void;
  /** A PING stayed unanswered. */
  protected abstract onDead(): void;
  protected abstract nextKeepaliveMs(): number;
  /** Throws when a row of `bytes` is more than the peer may have on its way. */
  protected abstract checkCredit(lane: Lane, bytes: number): void;
  protected abstract onTick(nowMs: number): void;
  protected abstract ownDeadlineMs(): number;
  /** Refusals and the like: what leaves before rows. */
  protected abstract flushControl(): void;
  /** The queue below the last lane: parts of blobs. */
  protected abstract bulkBytes(): number | undefined;
  protected abstract takeBulk(nowMs: number): ChunkMessage | undefined;
  protected abstract awaitsPeer(): boolean;

  protected end(code: CloseCode, text: string, retryAfterMs: number): void {
    const detail = clip(text);
    // Before HELLO was read there is nobody to talk to: a stranger's garbage gets no answer.
    if (this.#state === 'live') this.say({ type: 'goaway', code, retryAfterMs, detail });
    else if (this.#state === 'deciding') this.say({ type: 'reject', code, retryAfterMs, detail });
    this.act('end');
    this.finish({ by: 'us', rejected: false, code, retryAfterMs, detail });
  }

  #allowed(type: number): number | undefined {
    const name = frameName(type);
    if (name === undefined || nextState(this.#role, this.#state, name) === undefined) return undefined;
    return maxBodyBytes[type];
  }

  #move(input: SessionInput): void {
    const next = nextState(this.#role, this.#state, input);
    if (next === undefined) throw new ProtocolError('frame-type', `${input} may not come while ${this.#state}`);
    this.#state = next;
  }

  #handle(message: Message, nowMs: number): void {
    switch (message.type) {
      case 'event':
      case 'batch':
        this.#onRows(message);
        break;
      case 'define':
        this.rows.define(message);
        this.effect({ kind: 'schema', fingerprint: message.fingerprint, text: message.text });
        break;
      case 'gap': {
        this.#checkOpen(message.lane);
        this.checkCredit(message.lane, rowOverheadBytes);
        const upToSeq = this.inbound[message.lane].skip(message.skipped, rowOverheadBytes);
        this.effect({ kind: 'gap', lane: message.lane, upToSeq, reason: message.reason });
        break;
      }
      case 'ack': {
        this.#checkOpen(message.lane);
        const { upToSeq, bytes, delayMs } = this.outbound[message.lane].acked(message.count, nowMs);
        if (message.lane !== 0 && bytes > 0) this.window.acked(bytes, delayMs);
        this.effect({ kind: 'acked', lane: message.lane, upToSeq });
        break;
      }
      case 'nack': {
        const { ackedSeq, sentSeq } = this.outbound[message.lane];
        const seq = ackedSeq + 1 + message.ahead;
        if (seq > sentSeq) {
          throw new ProtocolError('sequence', `NACK of ${seq}`, { expected: `at most ${sentSeq}, the last one sent` });
        }
        this.effect({ kind: 'nacked', nack: message, seq });
        break;
      }
      case 'ping':
        this.onPing(message);
        this.say({ type: 'pong' });
        break;
      case 'pong':
        if (this.#pongsDue === 0) throw new ProtocolError('frame-type', 'PONG without a PING');
        this.#pongsDue -= 1;
        this.onPong();
        break;
      case 'credit':
      case 'pause':
      case 'open':
        this.onCredit(message, nowMs);
        break;
      case 'goaway':
      case 'reject': {
        const { code, retryAfterMs, detail, type } = message;
        this.finish({ by: 'peer', rejected: type === 'reject', code, retryAfterMs, detail });
        break;
      }
      case 'hello':
      case 'welcome':
        this.onHandshake(message, nowMs);
        break;
      default:
        this.onChunk(message, nowMs);
    }
  }

  #checkOpen(lane: Lane): void {
    if (!this.laneOpen(lane)) throw new ProtocolError('lane', `lane ${lane} is closed to a ${this.standing} device`);
  }

  #onRows(message: RowMessage): void {
    const said = laneOfBody(message.body);
    this.#checkOpen(said);
    const decoded = this.rows.decode(message);
    if (decoded instanceof UnknownSchema) {
      // What follows can't be read either: the peer comes again and tells the schema first.
      const { ackedSeq, receivedSeq } = this.inbound[said];
      const [ahead, detail] = [receivedSeq - ackedSeq, schemaText(decoded.fingerprint)];
      this.say({ type: 'nack', lane: said, ahead, class: 'need-schema', code: 0, retryAfterMs: 0, detail });
      this.end('closed', decoded.message, 0);
    } else for (const row of decoded.rows) this.#onRow(decoded.lane, row);
  }

  #onRow(lane: Lane, row: Row): void {
    const bytes = row.payload.length + rowOverheadBytes;
    this.checkCredit(lane, bytes);
    const seq = this.inbound[lane].next(bytes);
    const last = this.#effects.at(-1);
    if (last?.kind === 'rows' && last.lane === lane) last.rows.push(row);
    else this.effect({ kind: 'rows', lane, firstSeq: seq, rows: [row] });
  }

  /** By urgency: the four lanes, then parts of blobs. Mostly there is nothing, and that is asked after every frame. */
  #ready(): readonly boolean[] {
    const bulk = this.bulkBytes();
    if (!this.#sending.waits && bulk === undefined) return [];
    return [...this.#sending.ready(this.window), bulk !== undefined && this.window.admits(bulk)];
  }

  #sendNext(nowMs: number): boolean {
    const turn = this.#scheduler.pick(this.#ready());
    if (turn === undefined) return false;
    if (turn === laneCount) {
      const piece = this.takeBulk(nowMs)!;
      if (piece.type === 'data') this.window.sent(piece.bytes.length);
      this.say(piece);
      return true;
    }
    const lane = turn as Lane;
    const next = this.#sending.take(lane, nowMs, this.window);
    if ('rows' in next) this.rows.encode(lane, next.rows, (message) => this.say(message));
    else this.say({ type: 'gap', lane, ...next });
    return true;
  }

  protected takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
