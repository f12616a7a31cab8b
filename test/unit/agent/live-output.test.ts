import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveOutput } from '../../../src/agent/executor/live-output.ts';
import { JobOutputEventSchema, type JobOutputEvent, type OutputStream } from '../../../src/protocol/event.ts';
import { Check } from 'typebox/value';

/** A clock whose timers run when they are told to. */
function bench({ linked = () => true, full = () => false }: { linked?: () => boolean; full?: () => boolean } = {}) {
  const told: JobOutputEvent[] = [];
  const timers = new Set<() => void>();
  const live = new LiveOutput({
    clock: {
      nowMs: () => 0,
      monotonicMs: () => 0,
      schedule(_ms, act) {
        timers.add(act);
        return () => void timers.delete(act);
      },
    },
    tell(event) {
      if (full()) throw new Error('no room');
      told.push(event);
    },
    linked,
  });
  const tick = () => {
    const due = [...timers];
    for (const act of due) {
      timers.delete(act);
      act();
    }
  };
  const textOf = (stream: OutputStream) =>
    told
      .flatMap(({ pieces }) => pieces)
      .filter((piece) => piece.stream === stream)
      .map(({ text }) => text)
      .join('');
  return { live, told, tick, timers, textOf };
}

describe('output while it is written', () => {
  it('is told to nobody who has not asked, and costs no timer', () => {
    const { live, told, timers } = bench();
    live.open('j-1')('stdout', Buffer.from('hello\n'));
    expect([told, timers.size]).toEqual([[], 0]);
  });

  it('begins with what was written before somebody asked', () => {
    const { live, told, tick } = bench();
    const write = live.open('j-1');
    write('stdout', Buffer.from('one\n'));
    write('stdout', Buffer.from('two\n'));
    write('stderr', Buffer.from('three\n'));
    live.follow('j-1');
    tick();
    expect(told).toEqual([
      {
        jobId: 'j-1',
        pieces: [
          { stream: 'stdout', offset: 0, bytes: 8, text: 'one\ntwo\n' },
          { stream: 'stderr', offset: 0, bytes: 6, text: 'three\n' },
        ],
      },
    ]);
  });

  it('waits for a job that has not begun, and forgets one that has ended', () => {
    const { live, told, tick, timers } = bench();
    live.follow('j-1');
    const write = live.open('j-1');
    write('stdout', Buffer.from('x'));
    live.close('j-1');
    write('stdout', Buffer.from('y'));
    tick();
    expect([told, timers.size]).toEqual([[], 0]);
  });

  it('leaves out the oldest when more comes than leaves, and the offset says how much', () => {
    let linked = false;
    const { live, told, tick } = bench({ linked: () => linked });
    live.follow('j-1');
    const write = live.open('j-1');
    for (let n = 0; n < 100; n += 1) write('stdout', Buffer.alloc(1_000, 'a'));
    tick();
    expect(told).toEqual([]);
    linked = true;
    tick();
    tick();
    tick();
    const [first, ...more] = told.flatMap(({ pieces }) => pieces);
    expect(first!.offset).toBe(100_000 - 65_536);
    expect([first!.bytes, ...more.map(({ bytes }) => bytes)]).toEqual([32_768, 32_768]);
  });

  it('says when it has told as much as it may, and tells no more', () => {
    const { live, told, tick } = bench();
    live.follow('j-1');
    const write = live.open('j-1');
    for (let n = 0; n < 60; n += 1) {
      write('stdout', Buffer.alloc(32_768, 'a'));
      tick();
    }
    expect(told.length).toBe(32);
    expect(told.map(({ last }) => last === true)).toEqual([...Array<boolean>(31).fill(false), true]);
  });

  it('does without what the log has no room for', () => {
    let full = true;
    const { live, told, tick } = bench({ full: () => full });
    live.follow('j-1');
    const write = live.open('j-1');
    write('stdout', Buffer.from('lost'));
    tick();
    full = false;
    write('stdout', Buffer.from('kept'));
    tick();
    expect(told).toEqual([{ jobId: 'j-1', pieces: [{ stream: 'stdout', offset: 4, bytes: 4, text: 'kept' }] }]);
  });

  it('is, put together, what was written, however it was cut, and every event is one', () => {
    const chunk = fc.record({
      stream: fc.constantFrom<OutputStream>('stdout', 'stderr'),
      text: fc.string({ unit: 'grapheme', maxLength: 40 }),
      tick: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), (chunks, cut) => {
        const { live, told, tick, textOf } = bench();
        live.follow('j-1');
        const write = live.open('j-1');
        const written = { stdout: '', stderr: '' };
        for (const { stream, text, tick: due } of chunks) {
          written[stream] += text;
          const bytes = Buffer.from(text);
          // Characters are cut only where nothing else is written in between.
          for (let at = 0; at < bytes.length; at += cut) write(stream, bytes.subarray(at, at + cut));
          if (due) tick();
        }
        tick();
        tick();
        expect({ stdout: textOf('stdout'), stderr: textOf('stderr') }).toEqual(written);
        for (const event of told) expect(Check(JobOutputEventSchema, event)).toBe(true);
      }),
    );
  });
});
