import { describe, expect, it } from 'vitest';
import { maxDevices, minDevices, planFleet, ringIds } from '../../../src/demo/fleet-plan.ts';
import { selectedIds } from '../../../src/demo/scenario.ts';

describe('the plan of the demo', () => {
  it('has for every size a canary, two boards whose power is cut in the early ring, and others that must stay untouched', () => {
    for (let count = minDevices; count <= maxDevices; count++) {
      const plan = planFleet(count);
      expect(plan).toHaveLength(count);
      expect(new Set(plan.map(({ id }) => id)).size).toBe(count);
      for (const ring of ['canary', 'early', 'main'] as const) expect(ringIds(plan, ring).length).toBeGreaterThan(0);
      expect(plan.filter(({ cut }) => cut !== undefined).map(({ cut, ring }) => [cut, ring])).toEqual([
        ['download', 'early'],
        ['install', 'early'],
      ]);
      expect(new Set(plan.map(({ site }) => site))).toEqual(new Set(['harbour', 'valley']));
      expect(selectedIds(plan).length).toBeGreaterThan(0);
    }
  });
});
