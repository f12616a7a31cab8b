/** What is taken back by the device itself: when, once, and whatever happens to the agent, the machine and its clock. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ActionEnd } from '../../../src/agent/executor/action.ts';
import { Executor } from '../../../src/agent/executor/executor.ts';
import { sectionPolicy } from '../../../src/agent/executor/job-policy.ts';
import type { Clock } from '../../../src/clock.ts';
import type { JobBeatEvent, JobEvent } from '../../../src/protocol/event.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import type { JobRun } from '../../../src/protocol/request.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';

/** A machine whose time a test moves; its wall clock may say anything. */
class Machine implements Clock {
  boot = 'boot-1';
  wallMs = 1_700_000_000_000;
  upMs = 1_000;
  #timers: { atMs: number; fn: () => void }[] = [];

  nowMs = () => this.wallMs;
  monotonicMs = () => this.upMs;
  bootId = () => this.boot;
  uptimeMs = () => this.upMs;

  schedule(delayMs: number, fn: () => void): () => void {
    const timer = { atMs: this.upMs + delayMs, fn };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  pass(ms: number): void {
    const endMs = this.upMs + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.upMs = Math.max(this.upMs, next.atMs);
      this.#timers = this.#timers.filter((each) => each !== next);
      next.fn();
    }
    this.upMs = endMs;
  }

  /** Off and on again: nothing of the process is left, and the clock has lost its battery. */
  powerCycle(): void {
    this.#timers = [];
    this.boot = `${this.boot}+`;
    this.upMs = 500;
    this.wallMs = 0;
  }
}

const parts: AgentParts[] = [];
afterEach(async () => {
  for (const each of parts.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

interface Bench {
  machine: Machine;
  agent: AgentParts;
  executor: Executor;
  ran: string[];
  events(): JobEvent[];
  /** What the next process finds on the disk; the link is down unless it is said. */
  next(option?: { linked?: boolean }): Promise<Bench>;
}

async function bench(
  machine: Machine,
  ran: string[],
  option: { path?: string; linked?: boolean } = {},
): Promise<Bench> {
  const agent = await agentParts(option);
  parts.push(agent);
  const section = { allow: ['*'], shell: false, maxOutputBytes: 100, maxConcurrent: 1, timeoutSeconds: 60 };
  const executor = new Executor({
    ...agent,
    clock: machine,
    machine,
    policy: () => sectionPolicy(section),
    content: { fetch: () => Promise.reject(new Error('none')) },
    perform(action, { signal }): Promise<ActionEnd> {
      const word = action.kind === 'command' ? action.argv[0]! : action.kind;
      ran.push(word);
      if (word === 'reboot' || word === 'hang') {
        return new Promise((resolve) =>
          signal.addEventListener('abort', () => resolve({ outcome: 'aborted' }), { once: true }),
        );
      }
      return Promise.resolve({ outcome: 'succeeded', exitCode: 0, stdout: `${word}\n` });
    },
  });
  executor.start();
  return {
    machine,
    agent,
    executor,
    ran,
    events: () => agent.events<JobEvent>(Lane.control, 'flotilla.job'),
    next: ({ linked = false } = {}) => bench(machine, ran, { path: agent.dir, linked }),
  };
}

const shed = (jobId: string, first = 'off'): JobRun => ({
  jobId,
  action: { kind: 'command', argv: [first] },
  timeoutSeconds: 20,
  expiresAtMs: Date.now() + 3_600_000,
  maxOutputBytes: 100,
  submittedBy: 'anna',
  hold: { forSeconds: 1_800, restore: { kind: 'command', argv: ['on'] } },
});
const told = (at: Bench, state: JobEvent['state']): Promise<JobEvent> =>
  eventually(`${state} is told`, () => at.events().find((event) => event.state === state), { everyMs: 2 });
const accept = ({ agent, executor }: Bench, request: JobRun): void =>
  agent.log.transact(() => executor.accept(request))();
const turn = () => new Promise((resolve) => void setImmediate(resolve));

describe('an action that is taken back', () => {
  it('is taken back after its time, and both are told', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j'));
    expect(await told(at, 'held')).toMatchObject({ outcome: 'succeeded', stdout: 'off\n' });
    at.machine.pass(1_799_000);
    await turn();
    expect(at.ran).toEqual(['off']);
    at.machine.pass(1_000);
    expect(await told(at, 'finished')).toMatchObject({
      outcome: 'succeeded',
      restore: { outcome: 'succeeded', stdout: 'on\n' },
    });
    expect(at.ran).toEqual(['off', 'on']);
  });

  it('is taken back by the next agent, at the same moment', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j'));
    await told(at, 'held');
    at.machine.pass(600_000);
    await at.executor.stop();
    const next = await at.next();
    at.machine.pass(1_199_000);
    await turn();
    expect(at.ran).toEqual(['off']);
    at.machine.pass(1_000);
    expect(await told(next, 'finished')).toMatchObject({ outcome: 'succeeded' });
    expect(at.ran).toEqual(['off', 'on']);
  });

  it('is taken back after the power was lost and the clock with it: not earlier, later by what nobody could know', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j'));
    await told(at, 'held');
    at.machine.pass(1_000_000); // a record each 90 s: the last one at 990 s
    at.machine.powerCycle();
    const next = await at.next();
    at.machine.wallMs = 4_000_000_000_000;
    at.machine.pass(1_800_000 - 1_000_000 - 1_000);
    await turn();
    expect(at.ran).toEqual(['off']);
    at.machine.pass(90_000 + 1_000);
    await told(next, 'finished');
    expect(at.ran).toEqual(['off', 'on']);
    const after = await next.next({ linked: true });
    await turn();
    expect(after.ran).toEqual(['off', 'on']);
  });

  it('is taken back although nobody knows how far it got', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j', 'hang'));
    const next = await at.next();
    expect(await told(next, 'held')).toMatchObject({ outcome: 'unknown' });
    at.machine.pass(1_800_000);
    expect(await told(next, 'finished')).toMatchObject({ outcome: 'unknown', restore: { outcome: 'succeeded' } });
    expect(at.ran).toEqual(['hang', 'on']);
  });

  const hanging = (once: boolean): JobRun => ({
    ...shed('j'),
    hold: { forSeconds: 1_800, restore: { kind: 'command', argv: ['hang'] }, ...(once ? { once } : {}) },
  });
  const restoring = async (job: JobRun) => {
    const at = await bench(new Machine(), []);
    accept(at, job);
    await told(at, 'held');
    at.machine.pass(1_800_000);
    expect(at.ran).toEqual(['off', 'hang']);
    return at;
  };

  it('is taken back again when the agent was killed, or stopped, while it did: a load must not stay shed', async () => {
    const at = await restoring(hanging(false));
    const killed = await at.next();
    expect(killed.ran).toEqual(['off', 'hang', 'hang']);
    await killed.executor.stop();
    expect(killed.events().some(({ state }) => state === 'finished')).toBe(false);
    killed.agent.database.exec(`UPDATE agent_job SET start = replace(start, '"hang"', '"on"')`); // it ends this time
    const next = await killed.next();
    expect(await told(next, 'finished')).toMatchObject({
      outcome: 'succeeded',
      restore: { outcome: 'succeeded', reason: expect.stringContaining('run 3 times') },
    });
    expect((await next.next()).ran).toEqual(['off', 'hang', 'hang', 'on']);
  });

  it('gives up when it has ended the agent three times', async () => {
    let at = await restoring(hanging(false));
    for (let n = 0; n < 4; n += 1) at = await at.next();
    expect(at.ran).toEqual(['off', 'hang', 'hang', 'hang']);
    expect(await told(at, 'finished')).toMatchObject({ outcome: 'unknown', restore: { outcome: 'unknown' } });
  });

  it('is never taken back twice where the operator has said so', async () => {
    const next = await (await restoring(hanging(true))).next();
    expect(await told(next, 'finished')).toMatchObject({ outcome: 'unknown', restore: { outcome: 'unknown' } });
    expect(next.ran).toEqual(['off', 'hang']);
  });

  it('tells that it runs, now and then, while it does', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j', 'hang'));
    at.machine.pass(999);
    expect(at.events()).toEqual([]);
    at.machine.pass(1);
    await told(at, 'started');
    const beats = () => at.agent.events<JobBeatEvent>(Lane.state, 'flotilla.job-beat');
    at.machine.pass(28_000);
    expect(beats()).toEqual([]);
    at.machine.pass(1_000);
    expect(beats()).toEqual([{ running: [{ jobId: 'j', startedAtMs: at.machine.wallMs }] }]);
    at.executor.cancel({ jobId: 'j' }, () => undefined);
    await told(at, 'finished');
    const { length } = beats();
    at.machine.pass(600_000);
    expect(beats()).toHaveLength(length);
  });

  it('is taken back at once when it is cancelled', async () => {
    const at = await bench(new Machine(), []);
    accept(at, shed('j'));
    await told(at, 'held');
    at.executor.cancel({ jobId: 'j' }, () => undefined);
    expect(await told(at, 'finished')).toMatchObject({ outcome: 'cancelled', restore: { outcome: 'succeeded' } });
    at.machine.pass(2_000_000);
    await turn();
    expect(at.ran).toEqual(['off', 'on']);
  });

  it('starts at its place in the ramp by itself', async () => {
    const at = await bench(new Machine(), []);
    const startAtMs = Date.now() + 30_000;
    accept(at, { ...shed('j'), startAtMs });
    await turn();
    expect(at.ran).toEqual([]);
  });
});

describe('a reboot', () => {
  const reboot: JobRun = { ...shed('r'), action: { kind: 'reboot' } };
  const { hold: _, ...plain } = reboot;

  it('has succeeded when the machine has another boot id, and is unknown when only the agent was restarted', async () => {
    const at = await bench(new Machine(), []);
    accept(at, plain);
    await told(at, 'started');
    await at.executor.stop();
    expect(at.events().some(({ state }) => state === 'finished')).toBe(false);
    const same = await at.next();
    await turn();
    expect(same.events().some(({ state }) => state === 'finished')).toBe(false);
    await same.executor.stop();
    at.machine.powerCycle();
    const next = await same.next();
    expect(await told(next, 'finished')).toMatchObject({ outcome: 'succeeded' });
    expect(at.ran).toEqual(['reboot']);
  });
});
