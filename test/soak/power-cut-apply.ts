/**
 * The power is cut while the engine upgrades the example product: its writes and syncs are recorded, and disks are
 * made that such a cut may leave. Whatever the cut: the board boots one of the two slots, whole, and a second run of
 * the upgrade finishes. Each point has a seed of its own: `npm run soak -- power-cut-apply --seed N --points 1`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decideBoot } from '../../src/board/boot-decision.ts';
import { readEnvironment, readInit, readLoader, readSlot, writeEnvironment } from '../../src/board/boot-medium.ts';
import { applyBundle, readPublicKey } from '../../src/firmware/index.ts';
import { productBuilder } from '../support/product.ts';
import { environmentOf, holds, otherSlot, partitionOf, type Slot } from './board-disk.ts';
import { crashImage, type Crash } from './crash-image.ts';
import { Dice } from './dice.ts';
import { traceDisk, type DiskTrace } from './disk-trace.ts';

const states = ['old', 'new'] as const;
type State = (typeof states)[number];

interface Failure {
  seed: number;
  reason: string;
  /** From slot a to b, or back. */
  upgrade: string;
  crash: Omit<Crash, 'image'>;
}

export interface PowerCutReport {
  soak: 'power-cut-apply';
  seed: number;
  points: number;
  durationMs: number;
  /** By the slot that the board booted after the cut. */
  byState: Record<State, number>;
  /** By the number of syncs that had returned before the cut. */
  bySyncs: Record<string, number>;
  recorded: { upgrade: string; writes: number; bytes: number; syncs: number }[];
  failures: Failure[];
}

/** One upgrade that was recorded, and what there was before. */
export interface RecordedUpgrade {
  /** The slot that runs; the other one is written. */
  running: Slot;
  base: Buffer;
  /** What stands in the running slot, and what the upgrade writes. */
  oldRootfs: Buffer;
  newRootfs: Buffer;
  bundle: string;
  trace: DiskTrace;
}

export interface Recording {
  upgrades: RecordedUpgrade[];
  publicKeys: Buffer[];
  /** Scratch space: a few images of 19 MiB. */
  dir: string;
}

export interface PowerCutOption {
  seed: number;
  points: number;
  seconds: number;
  onProgress(points: number, elapsedMs: number): void;
}

export async function powerCutApply(
  { upgrades, publicKeys, dir }: Recording,
  option: PowerCutOption,
): Promise<PowerCutReport> {
  const startMs = performance.now();
  const report: PowerCutReport = {
    soak: 'power-cut-apply',
    seed: option.seed,
    points: 0,
    durationMs: 0,
    byState: { old: 0, new: 0 },
    bySyncs: {},
    recorded: upgrades.map(({ running, trace: { writes, syncs } }) => ({
      upgrade: nameOf(running),
      writes: writes.length,
      bytes: writes.reduce((sum, { bytes }) => sum + bytes.length, 0),
      syncs: syncs.length,
    })),
    failures: [],
  };
  let toldMs = performance.now();
  for (; report.points < option.points && report.failures.length < 20; report.points++) {
    const nowMs = performance.now();
    if (nowMs - startMs > option.seconds * 1_000) break;
    if (nowMs - toldMs > 10_000) {
      toldMs = nowMs;
      option.onProgress(report.points, nowMs - startMs);
    }
    const seed = option.seed + report.points;
    const { upgrade, crash } = pointOf(upgrades, seed);
    report.bySyncs[crash.syncs] = (report.bySyncs[crash.syncs] ?? 0) + 1;
    try {
      report.byState[await checkPoint(upgrade, crash.image, join(dir, 'disk.img'), publicKeys)]++;
    } catch (error) {
      const { image: _, ...rest } = crash;
      report.failures.push({ seed, reason: String(error), upgrade: nameOf(upgrade.running), crash: rest });
    }
  }
  report.durationMs = Math.round(performance.now() - startMs);
  return report;
}

const nameOf = (running: Slot): string => `${running} to ${otherSlot(running)}`;

/** Everything that is left to chance, from one number. */
export function pointOf(
  upgrades: readonly RecordedUpgrade[],
  seed: number,
): { upgrade: RecordedUpgrade; crash: Crash } {
  const dice = new Dice(seed);
  const upgrade = dice.of(upgrades);
  return { upgrade, crash: crashImage(upgrade.base, upgrade.trace, dice) };
}

/** A board made with version 1, upgraded to 2 (slot b), proven, and upgraded to 3 (slot a again). */
export async function recordUpgrades(dir: string): Promise<Recording> {
  await mkdir(dir, { recursive: true });
  const product = await productBuilder(join(dir, 'product'));
  const publicKeys = [await readPublicKey(product.publicKeyPath)];
  const versions = ['1.0.0', '2.0.0', '3.0.0'] as const;
  const bundles: string[] = [];
  const rootfs: Buffer[] = [];
  for (const version of versions) {
    bundles.push(await product.build(version));
    rootfs.push(await readFile(join(dir, 'product', `image-${version}`, 'rootfs.img')));
  }
  const disk = join(dir, 'recorded.img');
  await applyBundle({ path: bundles[0]!, destinationPath: disk, task: 'complete', publicKeys });
  const upgrades: RecordedUpgrade[] = [];
  for (const [index, running] of (['a', 'b'] as const).entries()) {
    const base = await readFile(disk);
    const bundle = bundles[index + 1]!;
    const program = join(import.meta.dirname, '..', 'support', 'apply-process.ts');
    const argv = [process.execPath, program, bundle, product.publicKeyPath, disk, 'upgrade'];
    const trace = await traceDisk(argv, disk, join(dir, 'strace.log'));
    upgrades.push({ running, base, oldRootfs: rootfs[index]!, newRootfs: rootfs[index + 1]!, bundle, trace });
    await checkTrace(upgrades.at(-1)!, disk);
    // It booted and was found good: what the agent's commit does.
    await writeEnvironment(disk, await readLoader(disk), { upgrade_available: '0', bootcount: '0' });
  }
  return { upgrades, publicKeys, dir };
}

/** The recording is worth something only if it leads from the disk of before to the one of after. */
async function checkTrace({ base, trace }: RecordedUpgrade, diskPath: string): Promise<void> {
  const image = Buffer.from(base);
  for (const { offset, bytes } of trace.writes) bytes.copy(image, offset);
  if (!image.equals(await readFile(diskPath))) throw new Error('the recorded writes do not give the disk of after');
  if (trace.syncs.length === 0) throw new Error('nothing was synced');
}

/** Throws for a board that does not boot a whole slot, or that a second run does not upgrade. */
export async function checkPoint(
  upgrade: RecordedUpgrade,
  crashed: Buffer,
  diskPath: string,
  publicKeys: Buffer[],
): Promise<State> {
  const { running, oldRootfs, newRootfs, base } = upgrade;
  const target = otherSlot(running);
  await writeFile(diskPath, crashed);
  if (!crashed.subarray(0, 512).equals(base.subarray(0, 512))) throw new Error('the partition table changed');
  for (const [index, what] of [
    [0, 'the boot partition'],
    [3, 'the data partition'],
  ] as const) {
    // prettier-ignore
    if (!partitionOf(crashed, index).equals(partitionOf(base, index))) throw new Error(`${what} changed`);
  }
  if (!holds(crashed, running, oldRootfs)) throw new Error(`the running slot ${running} was touched`);
  const booted = await boot(diskPath, crashed);
  if (booted === target && !holds(crashed, target, newRootfs))
    throw new Error(`boots slot ${target}, which is not whole`);

  await applyBundle({ path: upgrade.bundle, destinationPath: diskPath, task: 'upgrade', publicKeys });
  const after = await readFile(diskPath);
  const next = otherSlot(booted);
  if ((await boot(diskPath, after)) !== next) throw new Error(`the second run did not lead to slot ${next}`);
  if (!holds(after, next, newRootfs)) throw new Error(`after the second run slot ${next} is not whole`);
  if (!holds(after, booted, booted === running ? oldRootfs : newRootfs)) {
    throw new Error(`the second run touched slot ${booted}`);
  }
  return booted === running ? 'old' : 'new';
}

/** What the board does at power-on, up to its init; our own reading of the disk has to agree with it. */
async function boot(diskPath: string, image: Buffer): Promise<Slot> {
  const own = environmentOf(image);
  if (own === undefined) throw new Error('no copy of the environment is valid');
  const loader = await readLoader(diskPath);
  const environment = await readEnvironment(diskPath, loader);
  const { slot, changes } = decideBoot(environment, ['a', 'b']);
  if (slot !== own.get('active_slot')) throw new Error(`the board boots ${slot}, active is ${own.get('active_slot')}`);
  if (slot !== 'a' && slot !== 'b') throw new Error(`boots ${slot}`);
  readInit(await readSlot(diskPath, loader, slot), loader);
  if (Object.keys(changes).length > 0) await writeEnvironment(diskPath, loader, changes);
  return slot;
}

/** What makes a run a failure. */
export function verdict(report: PowerCutReport): string[] {
  return [
    ...report.failures.map(({ seed, reason }) => `seed ${seed}: ${reason}`),
    ...states
      .filter((state) => report.byState[state] === 0 && report.points >= 30)
      .map((state) => `no cut after which the ${state} slot booted`),
    ...(report.points === 0 ? ['no point was tried'] : []),
  ];
}
