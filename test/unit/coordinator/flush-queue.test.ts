import { describe, expect, it } from 'vitest';
import { FlushQueue, type Flushable } from '../../../src/coordinator/gateway/flush-queue.ts';
import { HandClock } from '../../support/hand-clock.ts';

interface Connection extends Flushable {
  name: string;
}

function queue(): {
  clock: HandClock;
  flushes: FlushQueue<Connection>;
  flushed: string[];
  connection(name: string): Connection;
  work(count: number): void;
} {
  const clock = new HandClock();
  const flushes = new FlushQueue<Connection>(clock);
  const flushed: string[] = [];
  return {
    clock,
    flushes,
    flushed,
    connection: (name) => ({ name, queued: false, yields: false, flush: () => void flushed.push(name) }),
    work(count) {
      for (let n = 0; n < count; n += 1) flushes.noteWork();
    },
  };
}

/** Past what setImmediate has waiting. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('FlushQueue', () => {
  it('flushes each connection once a turn, however often it was added', async () => {
    const { flushes, flushed, connection } = queue();
    const [one, two] = [connection('one'), connection('two')];
    flushes.add(one);
    flushes.add(two);
    flushes.addYielding(one);
    await turn();
    expect(flushed).toEqual(['one', 'two']);
  });

  it('lets what yields go at once on a calm day', async () => {
    const { flushes, flushed, connection, work } = queue();
    work(200);
    flushes.addYielding(connection('acknowledged'));
    await turn();
    expect(flushed).toEqual(['acknowledged']);
  });

  it('lets it wait for the end of a rush, while everything else goes', async () => {
    const { clock, flushes, flushed, connection, work } = queue();
    work(1_000);
    const waits = connection('acknowledged');
    flushes.addYielding(waits);
    flushes.addYielding(waits);
    flushes.add(connection('asked'));
    clock.advance(60);
    await turn();
    expect(flushed).toEqual(['asked']);
    clock.advance(100);
    await turn();
    expect(flushed).toEqual(['asked', 'acknowledged']);
  });

  it('lets it go after two seconds, rush or not', async () => {
    const { clock, flushes, flushed, connection, work } = queue();
    work(1_000);
    flushes.addYielding(connection('acknowledged'));
    for (let ms = 0; ms < 1_950; ms += 50) {
      work(1_000);
      clock.advance(50);
    }
    await turn();
    expect(flushed).toEqual([]);
    work(1_000);
    clock.advance(100);
    await turn();
    expect(flushed).toEqual(['acknowledged']);
  });

  it('flushes what waits as soon as the connection has something else to say, and loses no later turn', async () => {
    const { clock, flushes, flushed, connection, work } = queue();
    work(1_000);
    const both = connection('both');
    flushes.addYielding(both);
    flushes.add(both);
    await turn();
    expect(flushed).toEqual(['both']);
    work(1_000);
    flushes.addYielding(both); // still on its way from before
    clock.advance(500);
    await turn();
    expect(flushed).toEqual(['both', 'both']);
  });
});
