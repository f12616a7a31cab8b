import type { DeviceLog } from '../../eventlog/index.ts';
import { dialTls } from '../../transport/tls-dialer.ts';
import type { ByteStream } from '../../transport/byte-stream.ts';
import type { Close } from '../../session/effect.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { RetryTimer } from './backoff.ts';
import { loadIdentity } from './identity.ts';
import { defaultBackoff, type LinkOption, type Receive } from './link-option.ts';
import { nackClasses, type NackClass } from '../../protocol/message.ts';
import { defaultPacking } from '../../protocol/columns/index.ts';
import type { RowEncoder } from '../../protocol/row-encoder.ts';
import { KeepaliveInterval } from '../../session/keepalive-interval.ts';
import { LiveSession } from './live-session.ts';
import { noSchemas } from '../../protocol/schema-catalogue.ts';
import { linkLost, maxFetchBytes } from './part-fetcher.ts';
import type { BlobRange, Link, LinkState, LinkStatus } from './port.ts';

/** Keeps a session with the coordinator: dials, serves the log, waits and dials again. Nothing happens before `start`. */
export function createLink(option: LinkOption): Link {
  return new TlsLink(option);
}

const defaultKeepaliveMs = 240_000;
const defaultAnswerTimeoutMs = 20_000;
/** A way that bears less is not worth its bytes. */
const minKeepaliveMs = 30_000;

class TlsLink implements Link {
  readonly #option: LinkOption;
  readonly #retry: RetryTimer;
  readonly #listeners = new Set<(status: LinkStatus) => void>();
  readonly #interval: KeepaliveInterval;
  readonly #nacks = Object.fromEntries(Object.keys(nackClasses).map((name) => [name, 0])) as Record<NackClass, number>;
  #status: LinkStatus;
  #running = false;
  #session: LiveSession | undefined;
  #liveSinceMs: number | undefined;
  /** Of the session, once WELCOME has told. */
  #features = 0;
  /** Ends what is under way between sessions: the dial, or the wait. */
  #cancel: () => void = () => undefined;
  /** Counts dials: what an earlier one still has to say is not heard. */
  #dials = 0;
  #ticket: { ticket: Buffer; digest: string } | undefined;
  readonly #untold = new Set<bigint>();
  /** What the last session has left of the rows' state. */
  #writer: RowEncoder | undefined;
  /** The next dial does not wait: see `redial`. */
  #hurry = false;
  /** The coordinator's time minus our monotonic one. */
  #coordinatorOffsetMs: number | undefined;

  constructor(option: LinkOption) {
    this.#option = option;
    this.#retry = new RetryTimer({ ...defaultBackoff, ...option.backoff }, option.random ?? Math.random);
    const { keepaliveMs: startMs = defaultKeepaliveMs } = option;
    const maxMs = Math.max(startMs, option.maxKeepaliveMs ?? startMs);
    this.#interval = new KeepaliveInterval({ startMs, maxMs, minMs: Math.min(startMs, minKeepaliveMs) });
    this.#status = { state: 'stopped', sinceMs: option.clock.nowMs() };
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#dial();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#dials += 1;
    this.#cancel();
    const session = this.#session;
    if (session !== undefined) {
      session.close('stopped');
      await session.ended;
    }
    this.#session = undefined;
    this.#enter('stopped');
  }

  status(): LinkStatus {
    return this.#status;
  }

  onChange(listener: (status: LinkStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  redial(reason: string): void {
    if (!this.#running) return;
    const session = this.#session;
    this.#hurry = true;
    if (session !== undefined) session.close(reason);
    else if (this.#status.state !== 'connecting') {
      this.#cancel();
      void this.#dial();
    }
  }

  wake(): void {
    this.#session?.pump();
  }

  fetch(blob: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    const { sha256, offset, length } = blob;
    if (
      !/^[0-9a-f]{64}$/.test(sha256) ||
      !Number.isSafeInteger(offset) ||
      offset < 0 ||
      !Number.isInteger(length) ||
      length < 1 ||
      length > maxFetchBytes
    ) {
      return Promise.reject(
        new FlotillaError('ours', 'fetch-range', `a part of ${length} bytes from ${offset} of ${sha256.slice(0, 64)}`, {
          expected: `a lower-case SHA-256, an offset from 0, 1 to ${maxFetchBytes} bytes`,
        }),
      );
    }
    if (signal?.aborted) return Promise.reject(new FlotillaError('failed', 'fetch-aborted', 'the fetch was aborted'));
    if (!this.#session?.open) return Promise.reject(linkLost(this.#status.reason ?? this.#status.state));
    return this.#session.fetcher.fetch(blob, signal);
  }

  nacks(): Readonly<Record<NackClass, number>> {
    return { ...this.#nacks };
  }

  coordinatorNowMs(): number | undefined {
    if (this.#coordinatorOffsetMs === undefined) return undefined;
    return this.#option.clock.monotonicMs() + this.#coordinatorOffsetMs;
  }

  async #dial(): Promise<void> {
    this.#dials += 1;
    this.#hurry = false;
    const dial = this.#dials;
    const current = (): boolean => this.#running && dial === this.#dials;
    this.#enter('connecting');
    const { endpoint, clock, answerTimeoutMs = defaultAnswerTimeoutMs } = this.#option;
    try {
      const { digest, ...pems } = await loadIdentity(this.#option.identity);
      if (!current()) return;
      const ticket = this.#ticket?.digest === digest ? this.#ticket.ticket : undefined;
      // Kept after use: a resumed handshake brings no new one. Dropped when a dial fails, in case it was the reason.
      const giveUp = dialTls({
        ...endpoint,
        ...pems,
        ticket,
        keyExchange: this.#option.keyExchange ?? 'classic',
        onTicket: (fresh) => {
          if (this.#running) this.#ticket = { ticket: fresh, digest };
        },
        onStream: (stream) => {
          cancelTimer();
          if (current()) this.#begin(stream, dial);
          else stream.destroy();
        },
        onFailed: (reason) => {
          cancelTimer();
          this.#ticket = undefined;
          if (current()) this.#wait({ reason, code: reason, stage: 'dial' });
        },
      });
      const cancelTimer = clock.schedule(answerTimeoutMs, () => {
        giveUp();
        if (current()) this.#wait({ reason: 'ETIMEDOUT', code: 'ETIMEDOUT', stage: 'dial' });
      });
      this.#cancel = () => {
        cancelTimer();
        giveUp();
      };
    } catch (error) {
      if (!current()) return;
      const code = systemErrorCode(error) ?? (error instanceof FlotillaError ? error.code : undefined);
      const reason = error instanceof Error ? error.message : String(error);
      this.#wait({ reason, ...(code === undefined ? {} : { code }), stage: 'dial' });
    }
  }

  #begin(stream: ByteStream, dial: number): void {
    const { log, logger, clock, agentVersion } = this.#option;
    this.#cancel = () => undefined;
    this.#session = new LiveSession(stream, {
      log,
      logger,
      clock,
      agentVersion,
      interval: this.#interval,
      schemas: this.#option.schemas ?? noSchemas,
      packing: this.#option.packing ?? defaultPacking,
      untold: this.#untold,
      warm: this.#writer,
      answerTimeoutMs: this.#option.answerTimeoutMs ?? defaultAnswerTimeoutMs,
      receive: this.#option.receive ?? keepRequests(log),
      onRequest: () => this.#option.onRequest(),
      onNack: (kind) => {
        this.#nacks[kind] += 1;
      },
      onOpen: () => this.#enter('live', { features: this.#features }),
      onMeeting: (meeting, lanes) => this.#option.onMeeting?.(meeting, lanes),
      onWelcome: ({ serverTimeMs, standing, features }) => {
        this.#features = features;
        this.#coordinatorOffsetMs = serverTimeMs - clock.monotonicMs();
        this.#liveSinceMs = clock.monotonicMs();
        if (standing === 'accepted') this.#enter('live', { features });
        else this.#enter('held', { reason: standing, features });
      },
      onOver: (reason, close, retryAfterMs) => {
        if (dial === this.#dials) this.#over(reason, close, retryAfterMs);
      },
    });
  }

  #over(reason: string, close: Close | undefined, retryAfterMs: number): void {
    const { log, logger, clock } = this.#option;
    this.#writer = this.#session?.writer;
    this.#session = undefined;
    const stage = this.#liveSinceMs === undefined ? 'hello' : 'session';
    if (this.#liveSinceMs !== undefined) this.#retry.lived(clock.monotonicMs() - this.#liveSinceMs);
    this.#liveSinceMs = undefined;
    // By us: WELCOME told what this log never sent. By the coordinator: HELLO was behind what it has stored.
    if (close?.code === 'instance-mismatch') {
      logger.error({ reason }, 'this log was rolled back: going on as a new instance');
      log.renewInstance();
    }
    this.#wait({ reason, code: close?.code ?? reason, stage }, close, retryAfterMs);
  }

  #wait(why: Pick<LinkStatus, 'code' | 'stage'> & { reason: string }, close?: Close, retryAfterMs = 0): void {
    const { reason } = why;
    const { clock, logger } = this.#option;
    this.#dials += 1;
    const waitMs = this.#hurry
      ? 0
      : this.#retry.nextMs(Math.max(retryAfterMs, close?.by === 'peer' ? close.retryAfterMs : 0));
    const retryAtMs = clock.nowMs() + waitMs;
    const refused = close?.by === 'peer' && close.rejected;
    logger.info({ reason, waitMs: Math.round(waitMs) }, refused ? 'refused by the coordinator' : 'not connected');
    this.#cancel = clock.schedule(waitMs, () => {
      if (this.#running) void this.#dial();
    });
    this.#enter(refused ? 'refused' : 'waiting', { ...why, retryAtMs });
  }

  #enter(state: LinkState, more: Omit<LinkStatus, 'state' | 'sinceMs'> = {}): void {
    this.#status = { state, sinceMs: this.#option.clock.nowMs(), ...more };
    for (const listener of this.#listeners) listener(this.#status);
  }
}

function keepRequests(log: DeviceLog): Receive {
  return (coordinatorInstanceId, lane, firstSeq, rows) => {
    log.transact(() => rows.forEach((row, n) => log.receive(coordinatorInstanceId, lane, firstSeq + n, row)));
    return true;
  };
}
