/**
 * Everything fails at once, and nothing that a door has confirmed may be lost or stored twice. Real agents, a real
 * coordinator, publishers outside of the agents with a ledger of their own, a proxy in between, kill -9 for everybody.
 * The faults are planned from the seed; `npm run soak -- chaos --seed N` plans the same ones again.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { alive, createFleet, type TestAgent, type TestFleet } from '../../support/fleet.ts';
import { Dice } from '../dice.ts';
import { ChaosProxy } from './chaos-proxy.ts';
import { chaosHandler } from './chaos-handler.ts';
import { compare, countStored, deadLetters, type Comparison } from './compare.ts';
import { DoorPublisher, type Confirmed } from './door-publisher.ts';
import { planFaults, type Fault, type Planned } from './schedule.ts';

export interface ChaosOption {
  seed: number;
  seconds: number;
  agents: number;
  /** Numbered events of all publishers. */
  events: number;
  /** Events that crash the handler, of all agents. */
  poison: number;
  faultsPerSecond: number;
  say(text: string): void;
}

export interface ChaosReport {
  soak: 'chaos';
  seed: number;
  /** Faults that were planned. */
  points: number;
  byState: Record<Fault['kind'], number>;
  agents: number;
  durationMs: number;
  connections: number;
  /** From the end of the faults to the last confirmed event in the store. */
  settledMs: number;
  refusedPublishes: Record<string, number>;
  comparison: Omit<Comparison, 'lost' | 'twice' | 'renumbered' | 'disordered'>;
  deadLetters: { planted: number; found: number };
  failures: { reason: string; seen: unknown }[];
}

const settleTimeoutMs = 180_000;

export async function runChaos(option: ChaosOption): Promise<ChaosReport> {
  const { seed, seconds, agents, events, poison, faultsPerSecond, say } = option;
  const dice = new Dice(seed);
  const planned = planFaults(dice, { durationMs: seconds * 1_000, faultsPerSecond });
  const startedMs = performance.now();
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await createFleet({ gateways: 2 }));
  const proxy = stack.use(await ChaosProxy.listen(() => fleet.port));
  const devices: TestAgent[] = [];
  for (let n = 0; n < agents; n += 1) {
    devices.push(await fleet.addAgent(`chaos-${n}`, { configure: (yaml) => agentYaml(yaml, proxy.port) }));
    say(`agent ${n + 1} of ${agents}`);
  }
  const doorOf = ({ dir }: TestAgent): string => join(dir, 'door.sock');

  const ledger: Confirmed[] = [];
  const refused: Record<string, number> = {};
  const poisoned = Math.ceil(poison / agents);
  const publishers = devices.map((device) => {
    const ours = new Dice(dice.below(2 ** 31));
    const each = Math.ceil(events / agents);
    // Among the first half of the bulk events, so that their retries end in time.
    const numbers = Array.from({ length: poisoned }, () => 1 + ours.below(Math.max(1, Math.floor(each / 3))));
    const perBurst = 12.5;
    return new DoorPublisher({
      device: device.id,
      socketPath: doorOf(device),
      dice: ours,
      events: each,
      restMs: (seconds * 1_000 * 0.8 * perBurst) / each,
      poison: new Set(numbers),
      confirmed: (event) => void ledger.push(event),
      refused: (code) => void (refused[code] = (refused[code] ?? 0) + 1),
    });
  });
  stack.defer(() => publishers.forEach((publisher) => publisher.stop()));
  const handler = stack.use(await chaosHandler(fleet));

  const done = await injectFaults({ planned, fleet, proxy, devices, dice, kill: () => handler.kill(), say, ledger });
  for (const publisher of publishers) if (!publisher.done) say('a publisher goes on after the faults');
  await eventually('the publishers are done', () => publishers.every((publisher) => publisher.done), {
    timeoutMs: settleTimeoutMs,
  });
  publishers.forEach((publisher) => publisher.stop());
  const healedMs = performance.now();
  const databasePath = join(fleet.dir, 'data', 'flotilla.db');
  const planted = ledger.filter((event) => event.poison);
  say(`${ledger.length} events are confirmed, ${planted.length} of them poison`);
  await eventually(
    'as many are stored as were confirmed',
    async () => (await countStored(databasePath)) >= ledger.length,
    {
      timeoutMs: settleTimeoutMs,
      everyMs: 500,
    },
  ).catch((error: Error) => say(error.message)); // the comparison tells which
  const settledMs = performance.now() - healedMs;
  await handler.caughtUp(ledger).catch((error: Error) => say(error.message));
  const comparison = await compare(databasePath, ledger);
  const dead = await deadLetters(databasePath);

  const failures: ChaosReport['failures'] = [];
  const expectNone = (reason: string, seen: readonly unknown[]): void => {
    if (seen.length > 0) failures.push({ reason: `${seen.length} ${reason}`, seen: seen.slice(0, 10) });
  };
  expectNone('confirmed events are lost', comparison.lost);
  expectNone('events are stored twice', comparison.twice);
  expectNone('events are stored under another number than was confirmed', comparison.renumbered);
  expectNone('events are stored out of the order of their lane', comparison.disordered);
  const nameOf = ({ device, n }: { device: string; n: number | null }): string => `${device} ${n}`;
  const plantedNames = new Set(planted.map(nameOf));
  const found = new Set(dead.map(nameOf));
  expectNone(
    'dead letters that nobody planted',
    dead.filter((letter) => !plantedNames.has(nameOf(letter))),
  );
  expectNone(
    'planted poison that is no dead letter',
    planted.filter((event) => !found.has(nameOf(event))),
  );
  expectNone('events that the handler never had', await handler.missing(ledger));
  const { confirmed, stored, unconfirmed } = comparison;
  return {
    soak: 'chaos',
    seed,
    points: planned.length,
    byState: done,
    agents,
    durationMs: Math.round(performance.now() - startedMs),
    connections: proxy.connections,
    settledMs: Math.round(settledMs),
    refusedPublishes: refused,
    comparison: { confirmed, stored, unconfirmed },
    deadLetters: { planted: planted.length, found: found.size },
    failures,
  };
}

/** Dials the proxy, comes back soon, and has lanes for the three types. */
function agentYaml(yaml: string, port: number): string {
  return yaml
    .replace(/^( {2}port:) \d+/m, `$1 ${port}`)
    .replace(/backoff: \{[^}]*\}/, 'backoff: { firstMinMs: 20, firstMaxMs: 200, factor: 2, maxMs: 1000 }')
    .replace(
      /^ {2}types: \{\}/m,
      '  types:\n    chaos.alarm: { lane: alarm }\n    chaos.state: { lane: state }\n    chaos.bulk: { lane: bulk }',
    );
}

interface Injection {
  planned: readonly Planned[];
  fleet: TestFleet;
  proxy: ChaosProxy;
  devices: readonly TestAgent[];
  dice: Dice;
  ledger: readonly Confirmed[];
  kill(): void;
  say(text: string): void;
}

/** Carries out the plan in its time; returns how many of each kind. What is down at the end is started again. */
async function injectFaults(injection: Injection): Promise<Record<Fault['kind'], number>> {
  const { planned, devices, fleet, say, ledger } = injection;
  const done = {} as Record<Fault['kind'], number>;
  const startMs = performance.now();
  const restarts: Promise<unknown>[] = [];
  const down = new Set<TestAgent>();
  let core: Promise<void> | undefined;
  let nextSayMs = 10_000;
  for (const { atMs, fault } of planned) {
    await sleep(Math.max(0, atMs - (performance.now() - startMs)));
    if (atMs > nextSayMs) {
      say(`${Math.round(atMs / 1_000)} s, ${ledger.length} events are confirmed`);
      nextSayMs += 10_000;
    }
    done[fault.kind] = (done[fault.kind] ?? 0) + 1;
    if (fault.kind === 'kill-agent') {
      const up = devices.filter((device) => !down.has(device));
      const device = up[Math.floor(fault.pick * up.length)];
      if (device === undefined) continue;
      down.add(device);
      restarts.push(
        (async () => {
          await device.kill();
          await sleep(fault.downMs);
          await device.restart();
          down.delete(device);
        })(),
      );
    } else if (fault.kind === 'kill-core') {
      if (core !== undefined) continue;
      core = (async () => {
        await fleet.killCoordinator();
        await sleep(fault.downMs);
        await fleet.startCoordinator();
        core = undefined;
      })();
      restarts.push(core);
    } else if (fault.kind === 'kill-gateway') {
      if (core === undefined) restarts.push(killGateway(fleet, fault.pick));
    } else inject(fault, injection);
  }
  await Promise.all(restarts);
  return done;
}

function inject(fault: Fault, { proxy, kill }: Injection): void {
  switch (fault.kind) {
    case 'cut':
      proxy.cut(fault.pick);
      return;
    case 'stall':
      proxy.stall(fault.pick, fault.ms);
      return;
    case 'halve':
      proxy.halve(fault.pick, fault.share);
      return;
    case 'ghost':
      proxy.ghost(fault.pick, fault.ms);
      return;
    case 'refuse':
      proxy.refuse(fault.ms);
      return;
    case 'kill-handler':
      kill();
      return;
    default:
  }
}

/** The core starts another by itself. A coordinator that is just coming up has none to kill. */
async function killGateway(fleet: TestFleet, pick: number): Promise<void> {
  const ran = await fleet.cli(['coordinator', 'status', '--json']);
  if (ran.exitCode !== 0) return;
  const { gateways } = ran.json<{ gateways: { pid: number }[] }>();
  const gateway = gateways[Math.floor(pick * gateways.length)];
  if (gateway !== undefined && alive(gateway.pid)) process.kill(gateway.pid, 'SIGKILL');
}
