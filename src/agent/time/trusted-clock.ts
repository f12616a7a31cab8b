import type { Clock } from '../../clock.ts';
import type { ValueTable } from '../state/value-table.ts';

/** What the agent goes by: the machine's own clock, signed time, or, knowing no better, the last time that it knows of. */
export type TimeSource = 'rtc' | 'signed' | 'floor';

export interface ClockReading {
  source: TimeSource;
  nowMs: number;
  /** What the machine's own clock says. */
  rtcMs: number;
  floorMs: number;
}

/** On the disk. */
interface Kept {
  /** It was this late once: no later than that is believed, except after a root-signed reset. */
  floorMs: number;
  /** Signed time minus the machine's clock, when it was last signed; 0 when they agreed. */
  offsetMs: number;
  /** Signed time was told once, at that time. */
  signedAtMs: number;
  /** `timeMs` of the last reset that was taken. */
  resetMs: number;
}

const keptName = 'trusted-time';
const nothing: Kept = { floorMs: 0, offsetMs: 0, signedAtMs: 0, resetMs: 0 };

/**
 * The time that the agent works with. The machine's clock is left alone while it agrees with what was signed, and is
 * overruled when it does not: the signed time is then carried on by the monotonic clock. Never goes behind its floor.
 */
export class TrustedClock implements Clock {
  readonly #clock: Clock;
  readonly #values: ValueTable;
  readonly #maxSkewMs: number;
  readonly #startMs: number;
  #kept: Kept;
  /** Signed time minus the monotonic clock, in this process. */
  #signedOffsetMs: number | undefined;

  constructor({ clock, values, maxSkewMs }: { clock: Clock; values: ValueTable; maxSkewMs: number }) {
    this.#clock = clock;
    this.#values = values;
    this.#maxSkewMs = maxSkewMs;
    this.#startMs = clock.monotonicMs();
    this.#kept = { ...nothing, ...(JSON.parse(values.get(keptName) ?? '{}') as Partial<Kept>) };
  }

  nowMs(): number {
    return this.reading().nowMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  schedule(delayMs: number, fn: () => void): () => void {
    return this.#clock.schedule(delayMs, fn);
  }

  reading(): ClockReading {
    const { floorMs, offsetMs } = this.#kept;
    const rtcMs = this.#clock.nowMs();
    const monotonicMs = this.#clock.monotonicMs();
    const reading = (source: TimeSource, nowMs: number): ClockReading => {
      return { source, nowMs: Math.floor(nowMs), rtcMs, floorMs };
    };
    if (this.#signedOffsetMs !== undefined) {
      const signedMs = Math.max(floorMs, monotonicMs + this.#signedOffsetMs);
      return this.#agrees(signedMs, rtcMs) ? reading('rtc', Math.max(floorMs, rtcMs)) : reading('signed', signedMs);
    }
    // Nobody was asked yet. A clock that is still as wrong as it was is corrected as before, unless it was set right
    // meanwhile; one that was lost tells nothing, and nothing is the least that can be wrong.
    const correctedMs = rtcMs + offsetMs;
    if (correctedMs < floorMs) return reading('floor', floorMs + monotonicMs - this.#startMs);
    return rtcMs >= floorMs && rtcMs <= correctedMs ? reading('rtc', rtcMs) : reading('signed', correctedMs);
  }

  /** When signed time was last told; 0: never. */
  get signedAtMs(): number {
    return this.#kept.signedAtMs;
  }

  /** The coordinator has told the time in this process. */
  get isTold(): boolean {
    return this.#signedOffsetMs !== undefined;
  }

  /** Is this what we take the time to be? */
  agreesWith(timeMs: number): boolean {
    const { nowMs, source } = this.reading();
    return source !== 'floor' && this.#agrees(timeMs, nowMs);
  }

  /** The coordinator's time over the link, found to agree: carried on from here. */
  confirm(timeMs: number): void {
    this.#signedOffsetMs = timeMs - this.#clock.monotonicMs();
  }

  /** Signed time, checked. False when it lies behind what this device knows to be past; call within a transaction. */
  learn(timeMs: number): boolean {
    if (timeMs < this.#kept.floorMs - this.#maxSkewMs) return false;
    this.confirm(timeMs);
    const rtcMs = this.#clock.nowMs();
    const offsetMs = this.#agrees(timeMs, rtcMs) ? 0 : timeMs - rtcMs;
    this.#keep({ floorMs: Math.max(this.#kept.floorMs, timeMs), offsetMs, signedAtMs: timeMs });
    return true;
  }

  /** What was learned is not to be lost with the power. Call now and then, within a transaction. */
  raiseFloor(): void {
    if (this.#signedOffsetMs === undefined) return; // the machine's clock alone raises nothing
    this.#keep({ floorMs: Math.max(this.#kept.floorMs, Math.floor(this.#clock.monotonicMs() + this.#signedOffsetMs)) });
  }

  /** A reset whose signature was checked. Returns why it is not taken; call within a transaction. */
  reset(timeMs: number): string | undefined {
    const { resetMs, floorMs } = this.#kept;
    if (timeMs <= resetMs) return 'this reset, or a later one, was taken before';
    if (timeMs >= floorMs) return 'there is nothing to reset: this device knows of no later time';
    this.#signedOffsetMs = undefined;
    this.#keep({ floorMs: timeMs, offsetMs: 0, signedAtMs: 0, resetMs: timeMs });
    return undefined;
  }

  #agrees(aMs: number, bMs: number): boolean {
    return Math.abs(aMs - bMs) <= this.#maxSkewMs;
  }

  #keep(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change };
    this.#values.set(keptName, JSON.stringify(this.#kept));
  }
}
