import type { Clock } from '../../clock.ts';
import type { DeviceLog, Meeting } from '../../eventlog/device-log.ts';
import type { Log } from '../../log.ts';
import type { NackClass, Welcome } from '../../protocol/message.ts';
import { DeviceSession } from '../../session/device-session.ts';
import type { KeepaliveInterval } from '../../session/keepalive-interval.ts';
import type { Close, Effect } from '../../session/effect.ts';
import type { Lane } from '../../protocol/lane.ts';
import type { Packing } from '../../protocol/columns/index.ts';
import type { RowEncoder } from '../../protocol/row-encoder.ts';
import type { SchemaCatalogue } from '../../protocol/schema-catalogue.ts';
import { allLanes } from '../../session/per-lane.ts';
import type { ByteStream, StreamReceiver } from '../../transport/byte-stream.ts';
import type { Receive } from './link-option.ts';
import { PartFetcher } from './part-fetcher.ts';

/** What the device knew to be stored, and what the coordinator says that it has. */
export interface LaneMark {
  ackedSeq: number;
  cursor: number;
}

export interface LiveSessionOption {
  log: DeviceLog;
  logger: Log;
  clock: Clock;
  agentVersion: string;
  interval: KeepaliveInterval;
  answerTimeoutMs: number;
  receive: Receive;
  onRequest(): void;
  onWelcome(welcome: Welcome): void;
  /** Before anything of the log leaves; the lanes as they were. */
  onMeeting(meeting: Meeting, lanes: readonly LaneMark[]): void;
  /** The device was accepted on this session. */
  onOpen(): void;
  onNack(kind: NackClass): void;
  schemas: SchemaCatalogue;
  packing: Packing;
  warm: RowEncoder | undefined;
  /** Schemas that the coordinator has asked for; kept from session to session. */
  untold: Set<bigint>;
  /** Once: by a farewell of either side, or because the stream ended. */
  onOver(reason: string, close: Close | undefined, retryAfterMs: number): void;
}

const maxBufferedBytes = 16_384;
const readRows = 256;
const goodbyeMs = 1_000;
/** How long what nobody waits for may wait for company in its frame: an answer to a request often comes sooner. */
const soonMs = 200;
/**
 * Acknowledgements are written with what the log writes next, or after this time: WELCOME tells them again, so losing
 * some in a power cut costs nothing. Many at once make room, and go soon.
 */
const ackDelayMs = 60_000;
const manyAcks = 256;
const manyAcksDelayMs = 1_000;

/** One connection's worth of a link: the stream, the session on it, and the log that both serve. */
export class LiveSession implements StreamReceiver {
  readonly fetcher: PartFetcher;
  /** The stream is closed. */
  readonly ended: Promise<void>;
  readonly #stream: ByteStream;
  readonly #option: LiveSessionOption;
  readonly #session: DeviceSession;
  readonly #end = Promise.withResolvers<void>();
  #coordinatorInstanceId = 0n;
  #over = false;
  #streamOpen = true;
  #pumping = false;
  #cancelSoon: (() => void) | undefined;
  #cancelTimer: () => void = () => undefined;
  #timerAtMs = Infinity;
  #cancelAcks: () => void = () => undefined;
  #acksAtMs = Infinity;
  /** What the coordinator asked for with a NACK of class retry. */
  #retryAfterMs = 0;

  constructor(stream: ByteStream, option: LiveSessionOption) {
    const { log, clock, agentVersion, interval, answerTimeoutMs, schemas, packing, untold, warm } = option;
    const { coordinatorInstanceId, seq } = log.requestCursor();
    this.#stream = stream;
    this.#option = option;
    this.ended = this.#end.promise;
    this.#session = new DeviceSession(
      {
        instanceId: log.instanceId,
        knownCoordinatorInstanceId: coordinatorInstanceId,
        nextSeq: log.nextSeq(),
        sentSeq: log.sentSeq(),
        requestCursor: seq,
        agentVersion,
        newInstance: log.renewed,
      },
      {
        keepaliveMs: interval.currentMs,
        interval,
        answerTimeoutMs,
        schemas,
        packing,
        untold,
        ...(warm === undefined ? {} : { warm }),
      },
      clock.monotonicMs(),
    );
    this.fetcher = new PartFetcher(this.#session, () => this.pump());
    stream.attach(this);
    this.pump();
  }

  get live(): boolean {
    return this.#session.state === 'live';
  }

  /** What the next session may go on from. */
  get writer(): RowEncoder | undefined {
    return this.#session.writer;
  }

  /** Live with all lanes. */
  get open(): boolean {
    return this.live && this.#session.regarded === 'accepted';
  }

  /** There may be rows, acknowledgements, parts: in a later turn, so never from inside a caller's transaction. */
  pump(): void {
    if (this.#pumping || !this.#streamOpen) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#guard(() => this.#pump());
    });
  }

  /** The same for what can wait: with the next pump, or in a fifth of a second. */
  #pumpSoon(): void {
    this.#cancelSoon ??= this.#option.clock.schedule(soonMs, () => this.pump());
  }

  /** Says goodbye and ends; resolves nothing, `onClose` of the stream is the end. */
  close(detail: string): void {
    this.#guard(() => this.#apply(this.#session.close('closed', detail)));
  }

  onBytes(bytes: Uint8Array): void {
    this.#guard(() => this.#apply(this.#session.receive(bytes, this.#option.clock.monotonicMs())));
  }

  onDrain(): void {
    this.pump();
  }

  onClose(reason: string): void {
    this.#streamOpen = false;
    this.#cancelTimer();
    this.#cancelSoon?.();
    this.#finish(reason, undefined);
    this.#end.resolve();
  }

  #pump(): void {
    this.#cancelSoon?.();
    this.#cancelSoon = undefined;
    if (!this.#streamOpen) return;
    this.#fill();
    const room = maxBufferedBytes - this.#stream.bufferedBytes;
    const bytes = this.#session.flush(this.#option.clock.monotonicMs(), room);
    if (bytes !== undefined) this.#stream.write(bytes);
    if (this.#over) this.#stream.end();
    else if (this.#session.pending && this.#stream.bufferedBytes < maxBufferedBytes) this.pump();
    this.#arm();
  }

  /** Rows that are on disk and not yet queued. */
  #fill(): void {
    const nextSeq = this.#option.log.nextSeq();
    for (const lane of allLanes) {
      if (this.#session.queuedSeq(lane) + 1 >= nextSeq[lane]!) continue;
      const room = this.#session.room(lane);
      if (room === 0) continue;
      const { left, firstSeq, rows } = this.#option.log.read(lane, this.#session.queuedSeq(lane), readRows, room);
      for (const { upToSeq, reason } of left) this.#session.leaveOut(lane, upToSeq, reason);
      if (rows.length > 0) this.#session.enqueue(lane, firstSeq, rows);
    }
  }

  #arm(): void {
    const atMs = this.#session.deadlineMs();
    if (atMs === this.#timerAtMs) return;
    this.#cancelTimer();
    this.#timerAtMs = atMs;
    if (atMs === Infinity) return;
    const { clock } = this.#option;
    this.#cancelTimer = clock.schedule(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timerAtMs = Infinity;
      this.#guard(() => this.#apply(this.#session.tick(clock.monotonicMs())));
    });
  }

  #apply(effects: Effect[]): void {
    const { log, logger } = this.#option;
    let requests = false;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'live':
          this.#coordinatorInstanceId = effect.welcome.coordinatorInstanceId;
          this.#meet(effect.welcome.eventCursor);
          for (const lane of allLanes) this.#acked(lane, effect.welcome.eventCursor[lane]!);
          this.#option.onWelcome(effect.welcome);
          break;
        case 'opened':
          this.#option.onOpen();
          break;
        case 'rows':
          requests = this.#commit(effect) || requests;
          break;
        case 'gap':
          log.skip(this.#coordinatorInstanceId, effect.lane, effect.upToSeq);
          this.#session.acknowledge(effect.lane, effect.upToSeq);
          logger.warn({ lane: effect.lane, upToSeq: effect.upToSeq, reason: effect.reason }, 'requests were left out');
          break;
        case 'acked':
          this.#acked(effect.lane, effect.upToSeq);
          break;
        case 'nacked':
          this.#nacked(effect);
          break;
        case 'data':
          this.fetcher.data(effect.id, effect.bytes, effect.last);
          break;
        case 'want-refused':
          this.fetcher.refused(effect.id, effect.code);
          break;
        case 'closed':
          this.#finish(
            effect.close.detail === '' ? effect.close.code : `${effect.close.code}: ${effect.close.detail}`,
            effect.close,
          );
          break;
        default:
      }
    }
    if (requests) this.#option.onRequest();
    // Nothing but acknowledgements is due to whoever has only asked for something.
    if (effects.length > 0 && effects.every(({ kind }) => kind === 'rows') && !this.#session.pending) this.#pumpSoon();
    else this.pump();
  }

  #meet(eventCursor: readonly number[]): void {
    const { log, logger } = this.#option;
    const lanes = allLanes.map((lane) => ({ ackedSeq: log.ackedSeq()[lane]!, cursor: eventCursor[lane]! }));
    const meeting = log.meet(this.#coordinatorInstanceId, eventCursor);
    if (meeting === 'set-back')
      logger.warn({ lanes }, 'the coordinator has less than it had acknowledged: it gets what is kept once more');
    this.#option.onMeeting(meeting, lanes);
  }

  #acked(lane: Lane, upToSeq: number): void {
    const { log, clock } = this.#option;
    const delayMs = log.acknowledgeSoon(lane, upToSeq) < manyAcks ? ackDelayMs : manyAcksDelayMs;
    const atMs = clock.monotonicMs() + delayMs;
    if (atMs >= this.#acksAtMs) return;
    this.#cancelAcks();
    this.#acksAtMs = atMs;
    this.#cancelAcks = clock.schedule(delayMs, () => this.#guard(() => this.#writeAcks()));
  }

  #writeAcks(): void {
    this.#cancelAcks();
    this.#acksAtMs = Infinity;
    this.#option.log.writeAcknowledged();
  }

  /** Only what is on disk is acknowledged; a request that was here before is acknowledged again. */
  #commit({ lane, firstSeq, rows }: Extract<Effect, { kind: 'rows' }>): boolean {
    const wait = this.#option.receive(this.#coordinatorInstanceId, lane, firstSeq, rows);
    this.#session.acknowledge(lane, firstSeq + rows.length - 1);
    return wait;
  }

  #nacked({ nack, seq }: Extract<Effect, { kind: 'nacked' }>): void {
    const { log, logger } = this.#option;
    this.#option.onNack(nack.class);
    logger.warn({ ...nack, seq }, 'the coordinator does not take an event');
    if (nack.class === 'retry') {
      // The row stays at the head of its lane: the next session starts with it.
      this.#retryAfterMs = nack.retryAfterMs;
      this.close('retry later');
    } else if (nack.class === 'need-schema') {
      // What was sent in its columns was not read: the next session tells the schema, then sends again.
      const fingerprint = /^[0-9a-f]{16}$/.test(nack.detail) ? BigInt(`0x${nack.detail}`) : 0n;
      if (this.#option.schemas.has(fingerprint)) this.#option.untold.add(fingerprint);
      this.close('the schema comes first');
    } else log.bury(nack.lane, seq, `${nack.class} ${nack.code}: ${nack.detail}`);
  }

  #finish(reason: string, close: Close | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#option.log.part();
    this.#guard(() => this.#writeAcks());
    this.fetcher.lost(reason, close?.by === 'us' && close.code === 'protocol-error');
    if (this.#streamOpen) {
      this.pump(); // the farewell has to leave
      this.#cancelTimer();
      this.#timerAtMs = Infinity;
      this.#cancelTimer = this.#option.clock.schedule(goodbyeMs, () => this.#stream.destroy());
    }
    this.#option.onOver(reason, close, this.#retryAfterMs);
  }

  /** A full disk or a bug ends the session, not the agent; the back-off keeps it from turning into a storm. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#option.logger.error({ err: error }, 'the session failed on our side');
      this.#stream.destroy();
      this.#finish(error instanceof Error ? error.message : String(error), undefined);
    }
  }
}
