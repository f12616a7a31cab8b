import { describe, expect, it } from 'vitest';
import { Progress } from '../../../src/firmware/apply/progress.ts';

function run(total: number, steps: number[]): number[] {
  const seen: number[] = [];
  const progress = new Progress(({ percent }) => seen.push(percent));
  progress.start();
  progress.expect(total);
  for (const step of steps) progress.add(step);
  progress.finish();
  return seen;
}

describe('progress', () => {
  it('says 0 25 50 75 99 100 for four equal parts', () => {
    expect(run(400, [100, 100, 100, 100])).toEqual([0, 25, 50, 75, 99, 100]);
  });
  it('says 0 and 100 when there is nothing to do', () => {
    expect(run(0, [])).toEqual([0, 100]);
  });
  it('never falls or passes 99 before the end, even when more is done than was expected', () => {
    expect(run(10, [5, 50, 5])).toEqual([0, 50, 99, 100]);
  });
});
