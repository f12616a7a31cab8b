/**
 * The power of a board is cut in the middle of an update: of what was written since the last sync any sector may be on
 * its disk, in its agent's database and in the download. From there the board boots, the real agent goes on with the
 * real coordinator, and it has to end committed or rolled back within three boots. Each point has a seed of its own, that
 * names the stretch of the update and the sectors: `npm run soak -- power-cut --seed N --points 1`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CrowdFleet } from '../../bench/job/crowd-fleet.ts';
import { brokenRelease } from '../../../src/demo/build-release.ts';
import { Dice } from '../dice.ts';
import { endOfCut } from './cut-board.ts';
import { placeIn, stretchesOf } from './cut-place.ts';
import { recordUpdate, type RecordedUpdate } from './recorded-update.ts';
import { smallProduct } from '../../support/small-product.ts';

export interface PowerCutOption {
  seed: number;
  /** Missing: 30 of each stretch, and 500 at least. */
  points?: number;
  seconds: number;
  /** Boards that run at a time. */
  parallel: number;
  onProgress(points: number, elapsedMs: number): void;
}

interface Tally {
  points: number;
  committed: number;
  rolledBack: number;
  failed: number;
  mostBoots: number;
}

interface Failure {
  seed: number;
  stretch: string;
  release: string;
  place: number;
  reason: string;
}

export interface PowerCutReport {
  soak: 'power-cut';
  seed: number;
  points: number;
  durationMs: number;
  recordingMs: number;
  byState: Record<string, Tally>;
  byStretch: Record<string, Tally>;
  recorded: { release: string; writes: number; bytes: number; syncs: number; states: string[] }[];
  failures: Failure[];
}

const perStretch = 30;
const leastPoints = 500;
const fillerBytes = 700_000;
const maxFailures = 10;

export async function powerCut(option: PowerCutOption): Promise<PowerCutReport> {
  const startMs = performance.now();
  await using stack = new AsyncDisposableStack();
  const crowd = stack.use(await CrowdFleet.start({ gateways: 1 }));
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-power-cut-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const names = ['good', 'bad'] as const;
  // As many devices of each as there may be points: which release a point takes is its dice's choice.
  const count = option.points ?? 1_000;
  const devices = new Map(
    await Promise.all(
      names.map(async (name) => {
        const ids = Array.from({ length: count }, (_, n) => `${name}-${n + 1}`);
        return [name, await crowd.enroll(ids)] as const;
      }),
    ),
  );
  const updates = await record(crowd, dir, count);
  const stretches = [...stretchesOf(updates)].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const recordingMs = Math.round(performance.now() - startMs);
  const store = new DatabaseSync((await crowd.client.status()).store.path, { readOnly: true });
  stack.defer(() => store.close());

  const report: PowerCutReport = {
    soak: 'power-cut',
    seed: option.seed,
    points: 0,
    durationMs: 0,
    recordingMs,
    byState: {},
    byStretch: {},
    recorded: updates.map(recordedIn),
    failures: [],
  };
  const points = option.points ?? Math.max(leastPoints, perStretch * stretches.length);
  let next = option.seed;
  let toldMs = startMs;
  const work = async (): Promise<void> => {
    while (next < option.seed + points && report.failures.length < maxFailures) {
      const nowMs = performance.now();
      if (nowMs - startMs > option.seconds * 1_000) return;
      if (nowMs - toldMs > 10_000) {
        toldMs = nowMs;
        option.onProgress(report.points, nowMs - startMs);
      }
      const seed = next;
      next += 1;
      const dice = new Dice(seed);
      const [name, choices] = stretches[seed % stretches.length]!;
      const { update, state } = dice.of(choices);
      const stretch = choices.find((each) => each.update === update)!;
      const place = placeIn(stretch, dice);
      const device = devices.get(update.name as (typeof names)[number])!.pop()!;
      const boardDir = join(dir, device.id);
      try {
        const ending = await endOfCut(crowd, store, { update, place, dice, device, dir: boardDir });
        for (const tally of [tallyOf(report.byState, state), tallyOf(report.byStretch, name)]) count1(tally, ending);
        await rm(boardDir, { recursive: true, force: true });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        report.failures.push({ seed, stretch: name, release: update.name, place, reason });
      }
      report.points += 1;
    }
  };
  await Promise.all(Array.from({ length: option.parallel }, work));
  report.durationMs = Math.round(performance.now() - startMs);
  return report;
}

async function record(crowd: CrowdFleet, dir: string, others: number): Promise<RecordedUpdate[]> {
  const privateKeyPath = join(crowd.fleet.dir, 'keys', 'firmware.priv');
  const product = await smallProduct(dir, { fillerBytes, privateKeyPath });
  const before = await product.build('1.0.0');
  const good = await product.build('2.0.0');
  const bad = await product.build(brokenRelease.version, brokenRelease.changes);
  return Promise.all([
    recordUpdate({ crowd, dir, name: 'good', before, after: good, isGood: true, others }),
    recordUpdate({ crowd, dir, name: 'bad', before, after: bad, isGood: false, others }),
  ]);
}

function recordedIn({ name, disk, database, journal, download, durable }: RecordedUpdate) {
  const traces = [disk, database, journal, download];
  const states = durable.flatMap(({ update }) => (update === undefined ? [] : [update.state]));
  return {
    release: name,
    writes: traces.reduce((sum, { writes }) => sum + writes.length, 0),
    bytes: traces.flatMap(({ writes }) => writes).reduce((sum, { bytes }) => sum + bytes.length, 0),
    syncs: traces.reduce((sum, { syncs }) => sum + syncs.length, 0),
    states: [...new Set<string>(states)],
  };
}

function tallyOf(tallies: Record<string, Tally>, name: string): Tally {
  return (tallies[name] ??= { points: 0, committed: 0, rolledBack: 0, failed: 0, mostBoots: 0 });
}

function count1(tally: Tally, { state, boots }: { state: string; boots: number }): void {
  tally.points += 1;
  if (state === 'committed') tally.committed += 1;
  else if (state === 'rolled-back') tally.rolledBack += 1;
  else tally.failed += 1;
  tally.mostBoots = Math.max(tally.mostBoots, boots);
}

/** What makes a run a failure. */
export function powerCutVerdict({ failures, points, byStretch }: PowerCutReport): string[] {
  const whole = points >= leastPoints;
  return [
    ...failures.map(({ seed, stretch, release, reason }) => `seed ${seed} (${release}: ${stretch}): ${reason}`),
    ...Object.entries(byStretch)
      .filter(([, tally]) => whole && tally.points < perStretch)
      .map(([name, tally]) => `only ${tally.points} points in "${name}"`),
    ...(points === 0 ? ['no point was tried'] : []),
  ];
}
