/** Tells the story, judges it, cleans up; whatever happens, no process of the demo outlives it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killMarked, type BoardRecord } from '../board/index.ts';
import { DemoCli, demoMark } from './demo-cli.ts';
import type { Check, DemoReport, DeviceReport } from './demo-report.ts';
import { planFleet } from './fleet-plan.ts';
import { FlotillaError } from '../error.ts';
import { judge } from './judge.ts';
import { runSteps } from './progress.ts';
import { selectedIds, story, type Story } from './scenario.ts';
import { timelineOf } from './timeline.ts';

export interface DemoOption {
  deviceCount: number;
  /** Leave the folder: fleet, disks, logs, report.json. */
  keep: boolean;
  /** No progress. */
  silent: boolean;
  signal: AbortSignal;
}

export async function runDemo({ deviceCount, keep, silent, signal }: DemoOption): Promise<DemoReport> {
  const startedAtMs = Date.now();
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-demo-'));
  const context = newStory(dir, deviceCount, signal);
  let told = false;
  try {
    const unseen = await runSteps(story, context, { silent }).then(() => undefined, unseenOf);
    signal.throwIfAborted();
    const report = await reportOf(context, { startedAtMs, kept: keep, unseen });
    await writeFile(join(dir, 'report.json'), JSON.stringify(report, undefined, 2));
    told = true;
    return report;
  } finally {
    await cleanUp(context);
    if (!keep) await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    else if (!told) process.stderr.write(`what there is of the demo is in ${dir}\n`);
  }
}

/** What the story waited for in vain is a finding, not a crash; anything else is. */
function unseenOf(error: unknown): FlotillaError {
  if (error instanceof FlotillaError && error.fault === 'failed') return error;
  throw error;
}

function checkTold(unseen: FlotillaError | undefined): Check {
  const text = 'the story is told to its end';
  if (unseen === undefined) return { id: 'story-told', text, ok: true, detail: `${story.length} steps` };
  const { message, detail } = unseen;
  const seen = detail.seen === undefined ? '' : `; seen: ${detail.seen}`;
  return { id: 'story-told', text, ok: false, detail: `it ended at: ${message}${seen}` };
}

function newStory(dir: string, deviceCount: number, signal: AbortSignal): Story {
  const fleetDir = join(dir, 'fleet');
  return {
    dir,
    fleetDir,
    plan: planFleet(deviceCount),
    cli: new DemoCli(fleetDir, signal),
    signal,
    boards: new Map(),
    releases: [],
    cuts: [],
    followExit: {},
    selector: 'G@site:harbour and not I@ring:canary',
    port: 0,
    gateways: 0,
    connected: [],
    afterSecond: new Map(),
    atEnd: new Map(),
    devices: [],
    events: [],
  };
}

/** Power off, then the coordinator by its own command; then whatever Ctrl-C caught between two of its states. */
async function cleanUp({ boards, fleetDir }: Story): Promise<void> {
  await Promise.allSettled([...boards.values()].map((board) => board.powerOff()));
  const stopping = new DemoCli(fleetDir, AbortSignal.timeout(20_000));
  await stopping.rows(['coordinator', 'stop'], [0]).catch(() => []);
  await killMarked(demoMark(fleetDir));
}

async function reportOf(
  context: Story,
  { startedAtMs, kept, unseen }: { startedAtMs: number; kept: boolean; unseen: FlotillaError | undefined },
): Promise<DemoReport> {
  const { plan, boards, dir, fleetDir, releases, cuts, secondRollout, thirdRollout, cli, job, selector } = context;
  const logs = new Map<string, BoardRecord[]>();
  for (const [id, board] of boards) logs.set(id, await board.readLog());
  const devices = plan.map((planned): DeviceReport => {
    const { id } = planned;
    const second = secondRollout?.devices?.find(({ deviceId }) => deviceId === id);
    const third = thirdRollout?.devices?.find(({ deviceId }) => deviceId === id);
    const afterSecond = context.afterSecond.get(id);
    const atEnd = context.atEnd.get(id);
    const device = context.devices.find((each) => each.id === id);
    return {
      ...planned,
      boots: (logs.get(id) ?? []).filter((record) => record.event === 'boot'),
      ...(second === undefined ? {} : { second }),
      ...(third === undefined ? {} : { third }),
      ...(afterSecond === undefined ? {} : { afterSecond }),
      ...(atEnd === undefined ? {} : { atEnd }),
      ...(device === undefined ? {} : { device }),
    };
  });
  const sum = (key: 'receivedBytes' | 'sentBytes') =>
    context.devices.reduce((total, { traffic }) => total + traffic[key], 0);
  const facts = {
    startedAtMs,
    releases,
    ...(job === undefined ? {} : { job }),
    ...(secondRollout === undefined ? {} : { secondRollout }),
    ...(thirdRollout === undefined ? {} : { thirdRollout }),
    cuts,
    devices,
    bytes: { receivedByCoordinator: sum('receivedBytes'), sentByCoordinator: sum('sentBytes') },
  };
  const told = checkTold(unseen);
  const judged = judge({
    ...facts,
    gateways: context.gateways,
    connected: context.connected,
    selector,
    selected: selectedIds(plan),
    followExit: context.followExit,
  });
  const checks = [told, ...judged];
  const versions = new Map(releases.map(({ bundleUuid, version }) => [bundleUuid, version]));
  return {
    ok: checks.every(({ ok }) => ok),
    dir,
    kept,
    durationMs: Date.now() - startedAtMs,
    ...facts,
    checks,
    timeline: timelineOf({ typed: cli.typed, events: context.events, boards: logs, cuts, versions }),
    commands: cli.typed,
    next: kept
      ? nextSteps(dir, fleetDir, plan[0]!.id)
      : ['flotilla demo --keep leaves the fleet, the disks and all logs to look at'],
  };
}

function nextSteps(dir: string, fleetDir: string, id: string): string[] {
  const board = join(dir, 'board', id);
  return [
    `all of this as one document: ${join(dir, 'report.json')}`,
    `what a board saw: ${join(board, 'board.log')}; what its agent said: ${join(board, 'console.log')}`,
    `the disks: ${join(dir, 'board', '*', 'disk.img')}`,
    `start the coordinator again: flotilla coordinator start --fleet-dir ${fleetDir}`,
    `look into a bundle: flotilla firmware inspect ${join(dir, 'harbour-meter-2.0.0.fw')}`,
  ];
}
