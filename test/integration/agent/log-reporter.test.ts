import { describe, expect, it } from 'vitest';
import { LogReporter } from '../../../src/agent/log-reporter.ts';
import type { Clock } from '../../../src/clock.ts';
import type { LogEvent } from '../../../src/protocol/event.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';

/** A clock that a test moves; what is due on the way runs at its own time. */
class MovedClock implements Clock {
  #nowMs = 1_000;
  #due: { atMs: number; fn: () => void }[] = [];

  nowMs = (): number => this.#nowMs;
  monotonicMs = (): number => this.#nowMs;

  schedule(delayMs: number, fn: () => void): () => void {
    const entry = { atMs: this.#nowMs + delayMs, fn };
    this.#due.push(entry);
    return () => void (this.#due = this.#due.filter((each) => each !== entry));
  }

  move(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#due.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = next.atMs;
      this.#due = this.#due.filter((each) => each !== next);
      next.fn();
    }
    this.#nowMs = endMs;
  }
}

const row = { type: 'reading', key: '', timestampMs: 0, schema: 0n, payload: new Uint8Array(50) };

function report(parts: AgentParts) {
  const clock = new MovedClock();
  const reporter = new LogReporter({ ...parts, clock });
  reporter.start();
  /** The coordinator takes the control lane at once. */
  const reports = (): LogEvent[] => {
    parts.log.acknowledge(0, parts.log.nextSeq()[0]! - 1);
    return parts.events<LogEvent>(0, 'flotilla.log');
  };
  return { clock, reporter, reports };
}

describe('reports of the log', () => {
  it('come at doubling intervals while what waited still waits, and once more when it has left', async () => {
    await using parts = await agentParts({ linked: false });
    const { clock, reports } = report(parts);
    parts.log.append(3, row);
    parts.link.turn('live');
    clock.move(9_000);
    expect(reports()).toEqual([]);
    clock.move(1_500);
    expect(reports()).toMatchObject([
      { lanes: [{}, {}, {}, { nextSeq: 2, waitingRows: 1 }], droppedRows: 0, deadRows: 0 },
    ]);
    clock.move(20_000);
    expect(reports()).toHaveLength(2);
    for (let n = 0; n < 12 * 6; n += 1) {
      clock.move(10_000 * 60);
      parts.log.acknowledge(0, parts.log.nextSeq()[0]! - 1);
    }
    // 40 s, 80 s … up to an hour: half a day makes a dozen and a half at most.
    const during = reports().length;
    expect(during).toBeGreaterThan(12);
    expect(during).toBeLessThan(23);
    parts.log.acknowledge(3, 1);
    clock.move(60_000);
    expect(reports()).toHaveLength(during + 1);
    expect(reports().at(-1)).toMatchObject({ lanes: [{}, {}, {}, { waitingRows: 0 }] });
    clock.move(3_600_000);
    expect(reports()).toHaveLength(during + 1);
  });

  it('come once a day otherwise, and not for events that are just on their way', async () => {
    await using parts = await agentParts({ linked: false });
    const { clock, reports } = report(parts);
    parts.link.turn('live');
    for (let n = 0; n < 6 * 60; n += 1) {
      const seq = parts.log.append(3, row);
      clock.move(10_000);
      parts.log.acknowledge(3, seq - 1); // one is always under way
    }
    expect(reports()).toEqual([]);
    clock.move(86_400_000);
    expect(reports()).toHaveLength(1);
    parts.link.turn('waiting');
    clock.move(3 * 86_400_000);
    expect(reports()).toHaveLength(1);
    parts.link.turn('live');
    clock.move(1);
    expect(reports()).toHaveLength(2);
  });
});
