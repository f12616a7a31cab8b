/** 30 of the cuts of `npm run soak -- power-cut-log`, and a recording that has to fail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordLog, type LogRecording } from '../../soak/log-recording.ts';
import { powerCutLog, verdict } from '../../soak/power-cut-log.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const isJudged = hasTools('power cuts while an agent writes its log', 'strace', 'sqlite3');

describe.skipIf(!isJudged)('a power cut while the agent writes its log', { timeout: 240_000 }, () => {
  let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
  let recording: LogRecording;
  const run = (of: LogRecording, points: number) =>
    powerCutLog(of, { seed: 1, points, seconds: 200, dir: scratch.path, onProgress: () => undefined });

  beforeAll(async () => {
    scratch = await temporaryDirectory();
    recording = await recordLog(scratch.path, { seed: 1, events: 300 });
  }, 120_000);
  afterAll(() => scratch?.[Symbol.asyncDispose]());

  it('loses no confirmed event and gives no number twice', async () => {
    const report = await run(recording, 30);
    expect(verdict(report)).toEqual([]);
    expect(report).toMatchObject({ points: 30, failures: [] });
    expect(report.checked).toBeGreaterThan(500);
  });

  it('would be noticed by a log that does not sync', async () => {
    // The same writes, and no sync that anybody waited for: as with synchronous=OFF.
    const unsynced = { ...recording, journal: { ...recording.journal, syncs: recording.journal.syncs.slice(0, 1) } };
    const report = await run(unsynced, 10);
    expect(report.failures.length).toBeGreaterThan(0);
    expect(report.failures[0]!.reason).toMatch(/lost|was given|not sound|next number/);
  });
});
