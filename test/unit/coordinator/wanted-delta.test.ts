import { describe, expect, it } from 'vitest';
import type { CoreState, StoredDelta, StoredRelease } from '../../../src/coordinator/core/core-state.ts';
import { wantedDelta } from '../../../src/coordinator/delta/wanted-delta.ts';

const release = (version: string, over: Partial<StoredRelease['release']> = {}, deltas: StoredDelta[] = []) => ({
  release: {
    id: `meter/${version}/stable`,
    product: 'meter',
    version,
    channel: 'stable',
    bundleUuid: version,
    ...over,
  },
  deltas,
});

/** Of the state only what decides. */
function stateOf(releases: ReturnType<typeof release>[], running: Record<string, number>, rollouts: object[] = []) {
  const devices = Object.entries(running).flatMap(([bundleUuid, count]) =>
    Array.from({ length: count }, (_, index) => [
      `${bundleUuid}-${index}`,
      { state: 'accepted', running: { bundleUuid } },
    ]),
  );
  return {
    releases: new Map(releases.map((each) => [each.release.id, each])),
    rollouts: new Map(rollouts.map((document, index) => [String(index), { document }])),
    devices: new Map(devices as [string, object][]),
  } as unknown as CoreState;
}

const wanted = (state: CoreState): string[] => {
  const found = wantedDelta(state);
  return found === undefined ? [] : [found.before.release.version, found.after.release.version];
};

describe('the delta that is made next', () => {
  const three = [release('1'), release('2'), release('3')];

  it('goes from what most devices run to the newest release', () => {
    expect(wanted(stateOf(three, { 1: 3, 2: 5 }))).toEqual(['2', '3']);
    expect(wanted(stateOf(three, { 1: 3 }))).toEqual(['1', '3']);
    expect(wanted(stateOf(three, { 3: 9 }))).toEqual([]);
  });

  it('is none that was tried, and none from or to what is not there', () => {
    const tried: StoredDelta = { fromUuid: '2', triedAtMs: 1, reason: 'a delta is no smaller' };
    const after = [release('1'), release('2'), release('3', {}, [tried])];
    expect(wanted(stateOf(after, { 1: 1, 2: 5 }))).toEqual(['1', '3']);
    expect(wanted(stateOf(after, { 2: 5, unknown: 9 }))).toEqual([]);
    expect(wanted(stateOf([release('1', { product: 'barge' }), release('2')], { 1: 1 }))).toEqual([]);
    expect(wanted(stateOf([release('1', { platform: 'x' }), release('2', { platform: 'y' })], { 1: 1 }))).toEqual([]);
  });

  it('goes to an older release as long as it is rolled out', () => {
    const rollout = { release: 'meter/2/stable', state: 'running', counts: {} };
    const tried: StoredDelta = { fromUuid: '1', triedAtMs: 1, reason: 'a delta is no smaller' };
    const releases = [release('1'), release('2'), release('3', {}, [tried])];
    expect(wanted(stateOf(releases, { 1: 1 }, [rollout]))).toEqual(['1', '2']);
    expect(wanted(stateOf(releases, { 1: 1 }, [{ ...rollout, state: 'completed' }]))).toEqual([]);
  });

  it('is made from eight bundles at the most', () => {
    const deltas = Array.from({ length: 8 }, (_, index): StoredDelta => ({
      fromUuid: `x${index}`,
      triedAtMs: 1,
      reason: '',
    }));
    expect(wanted(stateOf([release('1'), release('2', {}, deltas)], { 1: 1 }))).toEqual([]);
  });
});
