import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveLines, type LiveLine } from '../../../src/cli/live-lines.ts';
import { formatLiveLines } from '../../../src/cli/render/live-line.ts';
import type { DeviceResult, OutputRow } from '../../../src/client/contract/index.ts';

const row = (text: string, offset: number, more: Partial<OutputRow> = {}): OutputRow => ({
  deviceId: 'gw-1',
  stream: 'stdout',
  offset,
  bytes: Buffer.byteLength(text),
  text,
  ...more,
});
const result = (stdout: string, stderr = ''): DeviceResult => ({
  deviceId: 'gw-1',
  state: 'finished',
  outcome: 'succeeded',
  stdout,
  stderr,
});

function endOf(live: LiveLines, end: DeviceResult): { lines: LiveLine[]; whole: boolean } {
  const lines: LiveLine[] = [];
  const rest = live.end(end);
  let step = rest.next();
  for (; step.done !== true; step = rest.next()) lines.push(step.value);
  return { lines, whole: step.value.whole };
}
const texts = (lines: Iterable<LiveLine>) => [...lines].map(({ text }) => text);

describe('lines of devices, live', () => {
  it('are whole, and what the result has behind them comes with it', () => {
    const live = new LiveLines();
    expect(texts(live.take(row('one\ntw', 0)))).toEqual(['one']);
    expect(texts(live.take(row('o\n', 6)))).toEqual(['two']);
    expect(endOf(live, result('one\ntwo\nthree', 'oh\n'))).toEqual({
      lines: [
        { deviceId: 'gw-1', stream: 'stdout', text: 'three' },
        { deviceId: 'gw-1', stream: 'stderr', text: 'oh' },
      ],
      whole: false,
    });
    // What comes after the result was in it.
    expect(texts(live.take(row('three', 8)))).toEqual([]);
  });

  it('say what was left out, and then the result is shown whole', () => {
    const live = new LiveLines();
    expect(texts(live.take(row('b\n', 20, { missedBytes: 20 })))).toEqual(['… 20 bytes are not shown here', 'b']);
    expect(endOf(live, result('a\n'.repeat(10) + 'b\n')).whole).toBe(true);
  });

  it('may be more than the result has kept', () => {
    const live = new LiveLines();
    expect(texts(live.take(row('one\ntwo\n', 0)))).toEqual(['one', 'two']);
    expect(endOf(live, result('one\n'))).toEqual({ lines: [], whole: false });
  });

  it('are safe for a terminal, and marked by stream', () => {
    const lines: LiveLine[] = [
      { deviceId: 'gw-1', stream: 'stdout', text: 'a\u001b[2Jb\r' },
      { deviceId: 'gw-1', stream: 'stderr', text: 'c' },
    ];
    expect(formatLiveLines(lines)).toBe('gw-1 | a\\x1b[2Jb\ngw-1 ! c\n');
  });

  it('show every line once, in order, wherever the pieces are cut and the result comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'é') }), { maxLength: 12 }),
        fc.nat(12),
        (pieces, shown) => {
          const live = new LiveLines();
          const seen: string[] = [];
          let offset = 0;
          for (const piece of pieces.slice(0, shown)) {
            seen.push(...texts(live.take(row(piece, offset))));
            offset += Buffer.byteLength(piece);
          }
          const all = pieces.join('');
          const end = endOf(live, result(all));
          expect(end.whole).toBe(false);
          expect([...seen, ...texts(end.lines)]).toEqual(
            all
              .replace(/\n$/, '')
              .split('\n')
              .slice(all === '' ? 1 : 0),
          );
        },
      ),
    );
  });
});
