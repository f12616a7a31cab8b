/** 40 of the cuts of `npm run soak -- power-cut`. */
import { describe, expect, it } from 'vitest';
import { powerCut, powerCutVerdict } from '../../soak/update/power-cut.ts';
import { hasTools } from '../../support/system-tool.ts';

const isJudged = hasTools('power cuts while a board is updated', 'strace');

describe.skipIf(!isJudged)('a power cut while a board is updated', { timeout: 240_000 }, () => {
  it('ends committed or rolled back within three boots, whatever of the last writes has arrived', async () => {
    const report = await powerCut({
      seed: 20_260_101,
      points: 40,
      seconds: 200,
      parallel: 4,
      onProgress: () => undefined,
    });
    expect(powerCutVerdict(report)).toEqual([]);
    expect(report.points).toBe(40);
    expect(Object.keys(report.byState)).toEqual(
      expect.arrayContaining(['offered', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'reverting']),
    );
  });
});
