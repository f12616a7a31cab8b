import { describe, expect, it } from 'vitest';
import { Inbox, type InboxOption } from '../../../src/agent/inbox.ts';
import type { Clock } from '../../../src/clock.ts';
import { createDeviceLog, jsonRow, type DeviceLog } from '../../../src/eventlog/index.ts';
import type { DeadLetterEvent } from '../../../src/protocol/event.ts';
import { agentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';

const cancel = (jobId: string) => jsonRow({ type: 'job.cancel', key: jobId, timestampMs: 0, value: { jobId } });

/** Waits do not take long here; what would have been waited is remembered. */
function quickClock(): Clock & { waits: number[] } {
  let nowMs = 0;
  const waits: number[] = [];
  return {
    waits,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    schedule(delayMs, fn) {
      waits.push(delayMs);
      const timer = setImmediate(() => {
        nowMs += delayMs;
        fn();
      });
      return () => clearImmediate(timer);
    },
  };
}

async function openInbox(option: Partial<InboxOption> & { log: DeviceLog }) {
  const clock = quickClock();
  const parts = await agentParts();
  const fatal: unknown[] = [];
  const inbox = new Inbox({
    logger: parts.logger,
    clock,
    handlers: {},
    onReport: () => undefined,
    onFatal: (error) => void fatal.push(error),
    ...option,
  });
  return { inbox, clock, fatal };
}

describe('a request whose effect is in the database alone', () => {
  const ping = (jobId: string) =>
    jsonRow({
      type: 'job.run',
      key: jobId,
      timestampMs: 0,
      value: {
        jobId,
        action: { kind: 'ping' },
        timeoutSeconds: 1,
        expiresAtMs: 1,
        maxOutputBytes: 1,
        submittedBy: 'test',
      },
    });
  const commits = (log: DeviceLog) => {
    let count = 0;
    const transact = log.transact.bind(log);
    let depth = 0;
    log.transact = (work) => {
      depth += 1;
      try {
        const result = transact(work);
        if (depth === 1) count += 1;
        return result;
      } finally {
        depth -= 1;
      }
    };
    return () => count;
  };

  const ended = new Error('this process has ended');
  /** A log of a process that ends within a transaction: nothing of it is on disk, and nothing is done after it. */
  const mortal = (whole: DeviceLog) => {
    let isAlive = true;
    const log = new Proxy(whole, {
      get(target, name) {
        if (!isAlive) throw ended;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const end = (): never => {
      isAlive = false;
      throw ended;
    };
    return { log, end };
  };

  it('is carried out with the sync of its arrival when it comes alone', async () => {
    await using parts = await agentParts();
    const { log, database } = parts;
    const seen: string[] = [];
    const { inbox } = await openInbox({
      log,
      takers: {
        'job.run': ({ jobId }) => {
          expect(database.isTransaction).toBe(true);
          seen.push(jobId);
          return () => seen.push(`${jobId} ${database.isTransaction ? 'too early' : 'follows'}`);
        },
      },
    });
    inbox.wake();
    await new Promise(setImmediate);
    expect(inbox.receive(7n, 0, 1, [ping('first')])).toBe(true); // it may have ended the process before
    inbox.wake();
    await eventually('it is done', () => log.unsettled().length === 0);
    await new Promise(setImmediate);
    const count = commits(log);
    expect(inbox.receive(7n, 0, 2, [ping('alone')])).toBe(false);
    expect(count()).toBe(1);
    expect(inbox.receive(7n, 0, 2, [ping('alone')])).toBe(false); // it was here
    expect(() => inbox.receive(7n, 0, 4, [ping('early')])).toThrow('after 2');
    expect(inbox.receive(7n, 0, 3, [ping('one'), ping('of two')])).toBe(true);
    expect(inbox.receive(7n, 0, 5, [ping('behind them')])).toBe(true);
    inbox.wake();
    await eventually('all are done', () => log.unsettled().length === 0);
    expect(seen).toEqual(
      ['first', 'alone', 'one', 'of two', 'behind them'].flatMap((jobId) => [jobId, `${jobId} follows`]),
    );
    expect(database.prepare('SELECT seq FROM inbox_cursor').all()).toEqual([{ seq: 5 }]);
  });

  it('goes the longer way when that fails, and leaves nothing of the failure', async () => {
    await using parts = await agentParts();
    const { log } = parts;
    let failures = 1;
    const { inbox, clock } = await openInbox({
      log,
      takers: {
        'job.run': ({ jobId }) => {
          log.append(1, jsonRow({ type: 'tried', key: jobId, timestampMs: 0, value: failures }));
          if (jobId === 'bad' && failures++ < 3) throw new Error('no way');
          return () => undefined;
        },
      },
    });
    inbox.wake();
    await new Promise(setImmediate);
    inbox.receive(7n, 0, 1, [ping('well')]);
    inbox.wake();
    await eventually('it is done', () => log.unsettled().length === 0);
    await new Promise(setImmediate);
    expect(inbox.receive(7n, 0, 2, [ping('bad')])).toBe(true);
    inbox.wake();
    await eventually('both are done', () => log.unsettled().length === 0);
    expect(clock.waits).toEqual([1_000]);
    expect(parts.events(1, 'tried')).toEqual([1, 3]);
  });

  it('is laid to the next process when it ends one before it is on disk', async () => {
    await using parts = await agentParts();
    const { log, database } = parts;
    const tried: string[] = [];
    const stored = () => Number(database.prepare('SELECT seq FROM inbox_cursor').get()?.['seq'] ?? 0);
    for (let start = 1; start <= 4; start += 1) {
      const process = mortal(createDeviceLog(database));
      const { inbox } = await openInbox({
        log: process.log,
        takers: {
          'job.run': ({ jobId }) => {
            tried.push(`${start} ${jobId}`);
            if (jobId === 'poison') process.end();
            return () => undefined;
          },
        },
      });
      inbox.wake();
      await new Promise(setImmediate);
      for (const [n, jobId] of ['well', 'poison'].entries()) {
        if (stored() !== n) continue;
        try {
          inbox.receive(7n, 0, n + 1, [ping(jobId)]);
          inbox.wake();
        } catch (error) {
          expect(error).toBe(ended);
        }
        await new Promise(setImmediate);
      }
    }
    expect(tried).toEqual(['1 well', '1 poison', '2 poison', '3 poison']);
    expect(parts.events<DeadLetterEvent>(0, 'flotilla.deadletter')).toMatchObject([{ key: 'poison', attempts: 2 }]);
    expect(log.unsettled()).toEqual([]);
  });
});

describe('a request that can not be carried out', () => {
  it('is set aside after the process has ended twice under it, and the next one goes on', async () => {
    await using parts = await agentParts();
    const { log, database } = parts;
    log.receive(7n, 0, 1, cancel('poison'));
    log.receive(7n, 0, 2, cancel('well'));
    const done: string[] = [];
    for (let start = 1; start <= 3; start += 1) {
      // A handler that never comes back stands for a process that ended in it.
      const handler = ({ jobId }: { jobId: string }, settle: () => void): Promise<void> | void => {
        done.push(`${start} ${jobId}`);
        if (jobId === 'poison') return new Promise(() => undefined);
        settle();
      };
      const { inbox } = await openInbox({ log: createDeviceLog(database), handlers: { 'job.cancel': handler } });
      inbox.wake();
      await eventually('it was tried', () => done.length === (start < 3 ? start : 3));
    }
    expect(done).toEqual(['1 poison', '2 poison', '3 well']);
    await eventually('nothing is left', () => log.unsettled().length === 0);
    expect(parts.events<DeadLetterEvent>(0, 'flotilla.deadletter')).toEqual([
      {
        type: 'job.cancel',
        key: 'poison',
        lane: 0,
        seq: 1,
        attempts: 2,
        reason: 'the agent ended 2 times while it was carried out',
      },
    ]);
    expect(database.prepare('SELECT type, key, attempts FROM inbox_dead').all()).toEqual([
      { type: 'job.cancel', key: 'poison', attempts: 2 },
    ]);
    expect(database.prepare('SELECT * FROM inbox_attempt').all()).toEqual([]);
  });

  it('is laid to the process with the sync of its arrival, when it is the next', async () => {
    await using parts = await agentParts();
    const { log, database } = parts;
    const running = () =>
      database
        .prepare('SELECT seq FROM inbox_attempt WHERE running = 1')
        .all()
        .map(({ seq }) => seq);
    const seen: unknown[] = [];
    let finish: (() => void) | undefined;
    const { inbox } = await openInbox({
      log,
      handlers: {
        'job.cancel': async ({ jobId }, settle) => {
          seen.push([jobId, running()]);
          if (jobId === 'slow') await new Promise<void>((resolve) => (finish = resolve));
          settle();
        },
      },
    });
    const receive = (seq: number, jobId: string) => inbox.receive(7n, 0, seq, [cancel(jobId)]);
    inbox.wake(); // it looks at what an earlier process has left, once
    await new Promise(setImmediate);
    const undone = () =>
      log.transact(() => {
        receive(1, 'undone');
        throw new Error('no room');
      });
    expect(undone).toThrow('no room');
    expect(running()).toEqual([]);
    receive(1, 'slow');
    expect(running()).toEqual([1]);
    inbox.wake();
    receive(2, 'next'); // another is under way
    inbox.wake();
    expect(running()).toEqual([1]);
    finish?.();
    await eventually('both are done', () => log.unsettled().length === 0);
    expect(seen).toEqual([
      ['slow', [1]],
      ['next', [2]],
    ]);
    await inbox.stop();
    receive(3, 'late');
    expect(running()).toEqual([]);
  });

  it('is tried five times with growing waits when its handler throws; later ones about the same thing wait for it', async () => {
    await using parts = await agentParts();
    const { log } = parts;
    log.receive(7n, 0, 1, cancel('bad'));
    log.receive(7n, 0, 2, cancel('bad'));
    log.receive(7n, 0, 3, cancel('good'));
    const tried: string[] = [];
    const told: string[] = [];
    const { inbox, clock, fatal } = await openInbox({
      log,
      handlers: {
        'job.cancel': ({ jobId }, settle) => {
          tried.push(jobId);
          if (jobId === 'bad' && tried.filter((id) => id === 'bad').length <= 5) throw new Error('no way');
          settle();
        },
      },
      abandon: { 'job.cancel': ({ jobId }, reason) => void told.push(`${jobId}: ${reason}`) },
    });
    inbox.wake();
    await eventually('nothing is left', () => log.unsettled().length === 0);
    expect(tried).toEqual(['bad', 'good', 'bad', 'bad', 'bad', 'bad', 'bad']);
    expect(clock.waits).toEqual([1_000, 5_000, 30_000, 120_000]);
    expect(told).toEqual(['bad: no way']);
    expect(fatal).toEqual([]);
    expect(parts.events<DeadLetterEvent>(0, 'flotilla.deadletter')).toMatchObject([
      { key: 'bad', seq: 1, attempts: 5 },
    ]);
  });

  it('says so when nothing here understands it, and ends the agent only for its database', async () => {
    await using parts = await agentParts();
    const { log } = parts;
    log.receive(7n, 0, 1, jsonRow({ type: 'job.dance', timestampMs: 0, value: {} }));
    log.receive(7n, 0, 2, cancel('j'));
    const { inbox, fatal } = await openInbox({
      log,
      handlers: {
        'job.cancel': () => {
          parts.database.exec('SELECT nonsense FROM nowhere');
        },
      },
    });
    inbox.wake();
    await eventually('the database failed', () => fatal.length === 1);
    expect(parts.events<DeadLetterEvent>(0, 'flotilla.deadletter')).toMatchObject([
      { type: 'job.dance', attempts: 0, reason: 'this agent does not understand it' },
    ]);
    expect(log.unsettled()).toHaveLength(1);
  });
});
