import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkPoint,
  pointOf,
  powerCutApply,
  recordUpgrades,
  verdict,
  type Recording,
} from '../../soak/power-cut-apply.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const hasStrace = hasTools('power cuts while the engine writes', 'strace');
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let recording: Recording;
beforeAll(async () => {
  scratch = await temporaryDirectory();
  if (hasStrace) recording = await recordUpgrades(join(scratch.path, 'soak'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe.skipIf(!hasStrace)('power cuts during an upgrade', { timeout: 120_000 }, () => {
  it('leave a board that boots a whole slot and finishes the upgrade, 30 times', async () => {
    const option = { seed: 20_260_101, points: 30, seconds: 100, onProgress: () => undefined };
    const report = await powerCutApply(recording, option);
    expect(report.failures).toEqual([]);
    expect(verdict(report)).toEqual([]);
    expect(report.points).toBe(30);
    // A cut before the first sync, after the last one, and between any two.
    expect(Object.keys(report.bySyncs)).toHaveLength(report.recorded[0]!.syncs + 1);
    expect(verdict({ ...report, byState: { old: 30, new: 0 } })).toEqual(['no cut after which the new slot booted']);
  });

  it('are found to be fatal to an engine that does not sync', async () => {
    const { upgrades, publicKeys } = recording;
    const unsynced = upgrades.map((upgrade) => ({ ...upgrade, trace: { ...upgrade.trace, syncs: [] } }));
    const reasons: string[] = [];
    for (let seed = 1; seed <= 40 && reasons.length < 3; seed++) {
      const { upgrade, crash } = pointOf(unsynced, seed);
      await checkPoint(upgrade, crash.image, join(scratch.path, 'disk.img'), publicKeys).catch((error: Error) =>
        reasons.push(error.message),
      );
    }
    expect(reasons).toHaveLength(3);
    for (const reason of reasons) expect(reason).toMatch(/not whole|no copy of the environment|cpio archive/);
  });
});
