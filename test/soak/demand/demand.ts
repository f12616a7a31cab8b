/**
 * Demand response on a thousand sessions: a load is shed on all of them by one command, comes back after its time while
 * the coordinator is stopped, and is shed along a ramp.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { JobRequest } from '../../../src/client/contract/index.ts';
import { CrowdFleet } from '../../bench/job/crowd-fleet.ts';
import type { CrowdSetup } from '../../bench/job/setup.ts';
import { eventually } from '../../support/eventually.ts';
import type { Switched } from './relay-crowd.ts';

export interface DemandOption {
  agents: number;
  processes: number;
  holdSeconds: number;
  rampSeconds: number;
  say(text: string): void;
}

interface Spread {
  p50: number;
  p99: number;
  last: number;
}

export interface DemandReport {
  agents: number;
  /** From the command to the relay, milliseconds. */
  shedMs: Spread;
  /** What the time of each load was off by; the coordinator was stopped before it was over. */
  lateMs: Spread & { first: number };
  /** All results of both actions were told once the coordinator was back. */
  told: number;
  /** Distance of each start from its place, as a share of the ramp. */
  ramp: { seconds: number; worstShare: number; p99Share: number };
  problems: string[];
}

const memory = '/dev/shm';
const patience = { timeoutMs: 300_000, everyMs: 50 };

export async function runDemand({
  agents,
  processes,
  holdSeconds,
  rampSeconds,
  say,
}: DemandOption): Promise<DemandReport> {
  await using stack = new AsyncDisposableStack();
  const crowd = stack.use(await CrowdFleet.start({ gateways: 1 }));
  const states = await mkdtemp(join(memory, 'flotilla-demand-'));
  stack.defer(() => rm(states, { recursive: true, force: true }));
  const ids = Array.from({ length: agents }, (_, n) => `load-${n}`);
  const devices = await crowd.enroll(ids);
  say(`${agents} devices are enrolled`);
  const switched: Switched[] = [];
  const share = Math.ceil(agents / processes);
  for (let n = 0; n < agents; n += share) {
    const setup: CrowdSetup = {
      port: crowd.fleet.port,
      serverName: crowd.serverName,
      devices: devices.slice(n, n + share),
    };
    const child = execa(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'relay-crowd.ts'), states],
      { input: JSON.stringify(setup), stderr: 'inherit', buffer: false, reject: false },
    );
    stack.defer(async () => {
      child.kill('SIGKILL');
      await child;
    });
    createInterface({ input: child.stdout }).on('line', (line) => void switched.push(JSON.parse(line) as Switched));
  }
  await ready(crowd, agents);
  say(`${agents} sessions are live`);
  const timesOf = (state: string) =>
    new Map(switched.filter((each) => each.state === state).map(({ id, atMs }) => [id, atMs]));
  const start = (request: Partial<JobRequest>) =>
    crowd.client.startJob({ selector: '*', action: relay('off'), expect: agents, expiresSeconds: 600, ...request });

  const atMs = Date.now();
  const held = await start({ hold: { forSeconds: holdSeconds, restore: relay('on') } });
  await eventually('all are shed', () => timesOf('off').size === agents, patience);
  const off = timesOf('off');
  await crowd.fleet.stopCoordinator();
  say(`all are shed after ${Math.max(...off.values()) - atMs} ms; the coordinator is stopped`);
  await eventually('all are back', () => timesOf('on').size === agents, patience);
  const on = timesOf('on');
  await crowd.fleet.startCoordinator();
  const ended = await eventually(
    'the job has ended',
    async () => {
      const job = await crowd.client.job(held.id);
      return job.state === 'finished' ? job : undefined;
    },
    patience,
  );
  say('all are back and have told so');
  const told = (ended.results ?? []).filter(({ restore }) => restore?.outcome === 'succeeded').length;
  await ready(crowd, agents);

  switched.length = 0;
  const ramped = await start({ action: relay('ramped'), rampSeconds });
  await eventually('all are shed along the ramp', () => timesOf('ramped').size === agents, patience);
  const { results = [] } = await crowd.client.job(ramped.id);
  const ramp = timesOf('ramped');
  const shares = results.map(
    ({ deviceId, startAtMs = 0 }) => Math.abs(ramp.get(deviceId)! - startAtMs) / (rampSeconds * 1_000),
  );
  const twice = switched.length - agents;

  const late = [...on].map(([id, onMs]) => onMs - off.get(id)! - holdSeconds * 1_000);
  const report: Omit<DemandReport, 'problems'> = {
    agents,
    shedMs: spreadOf([...off.values()].map((ms) => ms - atMs)),
    lateMs: { first: Math.min(...late), ...spreadOf(late) },
    told,
    ramp: { seconds: rampSeconds, worstShare: spreadOf(shares).last, p99Share: spreadOf(shares).p99 },
  };
  return { ...report, problems: problemsOf(report, twice) };
}

function problemsOf({ agents, shedMs, lateMs, told, ramp }: Omit<DemandReport, 'problems'>, twice: number): string[] {
  return [
    shedMs.last > 2_000 ? `the last load was shed after ${shedMs.last} ms` : '',
    lateMs.first < -50 ? `a load came back ${-lateMs.first} ms too early` : '',
    lateMs.last > 2_000 ? `a load came back ${lateMs.last} ms too late` : '',
    told === agents ? '' : `${told} of ${agents} devices told of their return`,
    ramp.worstShare > 0.05 ? `a start was off by ${Math.round(ramp.worstShare * 100)} % of the ramp` : '',
    twice === 0 ? '' : `${twice} starts too many`,
  ].filter((problem) => problem !== '');
}

function relay(state: string) {
  return { kind: 'command' as const, argv: ['relay', state] };
}

async function ready(crowd: CrowdFleet, count: number): Promise<void> {
  await eventually(
    'all sessions are live and have told what they take',
    async () => {
      const devices = await crowd.client.devices({});
      return devices.filter(({ connected }) => connected).length === count;
    },
    { ...patience, everyMs: 500 },
  );
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p99: at(0.99), last: sorted.at(-1)! };
}
