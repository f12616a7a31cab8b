import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import { verifyTimeReset } from '../../pki/time-reset.ts';
import { verifyTimeStatement } from '../../pki/signed-time.ts';
import type { ClockEvent, TimeEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { TimeResetRequest, TimeStatementRequest } from '../../protocol/request.ts';
import { rootCertificates } from '../../transport/certificate-chain.ts';
import type { RequestHandlers } from '../inbox.ts';
import type { Link } from '../link/port.ts';
import type { ValueTable } from '../state/value-table.ts';
import type { TimeSource, TrustedClock } from './trusted-clock.ts';

export interface TimeKeeperOption {
  time: TrustedClock;
  values: ValueTable;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  link: Pick<Link, 'onChange' | 'wake' | 'coordinatorNowMs' | 'status'>;
  clock: Clock;
  logger: Log;
  identity: { fleetId: string; deviceId: string };
  /** The name in the coordinator's certificate. */
  serverName: string;
  /** PEM; read at each check, since it may be replaced. */
  authorityFile: string;
  /** The machine's clock is another one than was told last. */
  onSkew(): void;
}

/** How often the machine's clock is looked at, and signed time asked for once more when there was no answer. */
const lookMs = 60_000;
const raiseEveryMs = 3_600_000;
/** A device that stays connected is told the time anew: no oscillator is right for ever. */
const signedForMs = 7 * 86_400_000;
/** An answer that took longer tells what time it was, not what time it is. */
const maxAnswerMs = 60_000;
/** Changes of the skew below it are not worth an event. */
const tellFromMs = 60_000;
const chainName = 'time-signer-chain';
const toldName = 'clock-told';

/**
 * Keeps the agent's time right: asks the coordinator for signed time at the first meeting, when its word over the link
 * differs from what the agent takes the time to be, and once a week; and tells how the machine's own clock stands.
 */
export class TimeKeeper {
  readonly #option: TimeKeeperOption;
  #asked: { nonce: string; atMs: number } | undefined;
  #raisedMs: number;
  #cancel: () => void = () => undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(option: TimeKeeperOption) {
    this.#option = option;
    this.#raisedMs = option.clock.monotonicMs();
  }

  get handlers(): RequestHandlers {
    return {
      'time.statement': (statement, settle) => this.#receive(statement, settle),
      'time.reset': (reset, settle) => this.#takeOrder(reset, settle),
    };
  }

  start(): void {
    // Not within the link's own turn: asking appends to the log that it is about to read.
    this.#unsubscribe = this.#option.link.onChange(({ state }) => {
      if (state === 'live') setImmediate(() => this.#meet());
    });
    this.#look();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#cancel();
    this.#raise();
  }

  /** The source, and how far off the machine's clock is where that matters; in minutes, so that it rarely changes. */
  state(): { source: TimeSource; skewSeconds?: number } {
    const { source, nowMs, rtcMs } = this.#option.time.reading();
    return source === 'rtc' ? { source } : { source, skewSeconds: Math.round((rtcMs - nowMs) / tellFromMs) * 60 };
  }

  /** @throws FlotillaError why the order is not taken */
  async reset(reset: TimeResetRequest, settle: () => void = () => undefined): Promise<void> {
    const { identity, authorityFile, log, logger, time } = this.#option;
    const { fleetId, deviceId } = identity;
    if (reset.fleetId !== fleetId || reset.deviceId !== deviceId) {
      throw new FlotillaError('refused', 'time-reset-other', 'this reset is for another device', {
        seen: `${reset.deviceId} of ${reset.fleetId}`,
        expected: `${deviceId} of ${fleetId}`,
      });
    }
    verifyTimeReset(reset, rootCertificates(await readFile(authorityFile, 'utf8')));
    // Its age is for the coordinator to judge: what this device takes the time to be is what is wrong.
    const objection = log.transact(() => {
      const said = time.reset(reset.timeMs);
      if (said === undefined) {
        settle();
        this.#tell({ reset: 'taken' });
      }
      return said;
    });
    if (objection !== undefined) throw new FlotillaError('refused', 'time-reset-refused', objection);
    logger.warn({ timeMs: reset.timeMs }, 'the time was reset by an order of the root');
    this.#asked = undefined;
    this.#consider();
  }

  async #takeOrder(reset: TimeResetRequest, settle: () => void): Promise<void> {
    try {
      await this.reset(reset, settle);
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      this.#refuse(settle, error, 'reset');
    }
  }

  /** A session with all lanes has begun. */
  #meet(): void {
    const { link, time } = this.#option;
    const serverMs = link.coordinatorNowMs();
    if (serverMs === undefined || link.status().state !== 'live') return;
    if (time.signedAtMs > 0 && time.agreesWith(serverMs)) time.confirm(serverMs);
    this.#safely(() => {
      this.#compare();
      this.#consider();
    });
  }

  #consider(): void {
    const { link, time } = this.#option;
    const serverMs = link.coordinatorNowMs();
    if (serverMs === undefined || link.status().state !== 'live') return;
    const isDue = time.signedAtMs === 0 || Math.abs(time.nowMs() - time.signedAtMs) > signedForMs;
    if (isDue || !time.agreesWith(serverMs)) this.#ask();
  }

  #ask(): void {
    const { clock, log, link, values, time } = this.#option;
    const nowMs = clock.monotonicMs();
    if (this.#asked !== undefined && nowMs - this.#asked.atMs < maxAnswerMs) return;
    const nonce = randomBytes(16).toString('hex');
    this.#asked = { nonce, atMs: nowMs };
    const known = (JSON.parse(values.get(chainName) ?? '{}') as { signer?: string }).signer;
    const value: TimeEvent = { nonce, ...(known === undefined ? {} : { knows: known }) };
    this.#safely(() => {
      log.append(Lane.control, jsonRow({ type: 'flotilla.time', timestampMs: time.nowMs(), value }));
      link.wake();
    });
  }

  async #receive(statement: TimeStatementRequest, settle: () => void): Promise<void> {
    const { clock, log, logger, link, values, time } = this.#option;
    const asked = this.#asked;
    // An answer to an earlier process or session, or one that took too long, says nothing about now.
    if (asked?.nonce !== statement.nonce || clock.monotonicMs() - asked.atMs > maxAnswerMs) return settle();
    const { identity, serverName, authorityFile } = this.#option;
    try {
      const roots = rootCertificates(await readFile(authorityFile, 'utf8'));
      const { chain: knownChain } = JSON.parse(values.get(chainName) ?? '{}') as { chain?: string[] };
      const { timeMs, chain } = verifyTimeStatement(statement, {
        subject: { ...identity, nonce: asked.nonce },
        serverName,
        roots,
        ...(knownChain === undefined ? {} : { knownChain }),
      });
      log.transact(() => {
        settle();
        if (!time.learn(timeMs)) throw behindFloor(timeMs, time.reading().floorMs);
        if (statement.chain !== undefined) values.set(chainName, JSON.stringify({ signer: statement.signer, chain }));
        this.#tell();
      });
      this.#asked = undefined;
      const { source, rtcMs } = time.reading();
      if (source === 'signed')
        logger.warn({ timeMs, rtcMs }, 'the clock of this machine is wrong: going by signed time');
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      this.#refuse(settle, error, 'refused');
    }
    link.wake();
  }

  /** Told, so that somebody mends it; the next question comes with the next look. */
  #refuse(settle: () => void, error: FlotillaError, what: 'refused' | 'reset'): void {
    this.#option.logger.error({ err: error }, 'what the coordinator says about the time is not taken');
    this.#option.log.transact(() => {
      settle();
      this.#tell({ [what]: error.message.slice(0, 256) });
    });
    this.#option.link.wake();
  }

  #look(): void {
    this.#cancel = this.#option.clock.schedule(lookMs, () => {
      this.#look();
      this.#safely(() => {
        this.#compare();
        this.#consider();
        if (this.#option.clock.monotonicMs() - this.#raisedMs >= raiseEveryMs) this.#raise();
      });
    });
  }

  /** Has somebody moved the machine's clock? */
  #compare(): void {
    const { time, log, logger, link } = this.#option;
    if (!time.isTold) return; // nothing is known to compare it with
    const { source, nowMs, rtcMs } = time.reading();
    if (!this.#differs(source, rtcMs - nowMs)) return;
    logger.warn({ source, skewMs: rtcMs - nowMs }, 'the clock of this machine was moved');
    log.transact(() => this.#tell());
    link.wake();
  }

  #tell(more: Pick<ClockEvent, 'refused' | 'reset'> = {}): void {
    const { log, time, values, onSkew } = this.#option;
    const { source, nowMs, rtcMs, floorMs } = time.reading();
    const skewMs = Math.round(rtcMs - nowMs);
    if (this.#differs(source, skewMs)) setImmediate(onSkew);
    values.set(toldName, JSON.stringify({ source, skewMs }));
    const value: ClockEvent = { source, skewMs, floorMs: Math.floor(floorMs), ...more };
    log.append(Lane.control, jsonRow({ type: 'flotilla.clock', timestampMs: nowMs, value }));
  }

  /** From what was told last, also by an earlier process. */
  #differs(source: string, skewMs: number): boolean {
    const told = JSON.parse(this.#option.values.get(toldName) ?? '{}') as { source?: string; skewMs?: number };
    return told.source !== source || Math.abs((told.skewMs ?? 0) - skewMs) >= tellFromMs;
  }

  #raise(): void {
    this.#raisedMs = this.#option.clock.monotonicMs();
    this.#safely(() => this.#option.log.transact(() => this.#option.time.raiseFloor()));
  }

  /** What can't be written costs a line. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#option.logger.error({ err: error }, 'the time could not be kept');
    }
  }
}

function behindFloor(timeMs: number, floorMs: number): FlotillaError {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return new FlotillaError(
    'refused',
    'time-behind-floor',
    `the coordinator says ${iso(timeMs)}, but this device was told ${iso(floorMs)} before; see ca sign-time-reset`,
  );
}
