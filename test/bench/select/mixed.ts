import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from '../../../src/coordinator/registry/registry.ts';
import { parseSelector, selectIds } from '../../../src/selector/index.ts';
import { selectSet } from '../../../src/selector/plan/index.ts';
import type { DeviceRow } from '../../../src/store/row.ts';
import { chance, changed } from './bench-fleet.ts';
import { round, time } from './clock.ts';
import { expressions } from './expression.ts';

/** Updates of one turn of the event loop, as a gateway hands them over. */
const updatesInTurn = 500;
const turns = 400;
/** How often a selection is held against a walk through the fleet as it is at that moment. */
const checkEvery = 50;
/** Both are changed by the same update, so no moment has one without the other. */
const halves = 'G@left:1 and not G@right:1 or G@right:1 and not G@left:1';

/**
 * Updates and selections in turn on one thread. What a second of it holds is told from the time of both: `updates` of
 * 50,000 a second take a share, and selections run in the rest.
 */
export async function measureMixed(registry: Registry<object>, fleet: DeviceRow[], nowMs: number) {
  const { index } = registry;
  const random = chance(5);
  const torn = parseSelector(halves);
  const selectors = expressions.filter(({ by }) => by === 'index').map(({ text }) => parseSelector(text));
  let updateMs = 0;
  let selectMs = 0;
  let slowestMs = 0;
  let selections = 0;
  let checked = 0;
  let wrong = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const next = Array.from({ length: updatesInTurn }, () => {
      const at = Math.floor(random() * fleet.length);
      const target = changed(fleet[at]!, random);
      const half = random() < 0.5 ? 1 : 0;
      fleet[at] = { ...target, grains: { ...target.grains, left: half, right: half } };
      return fleet[at];
    });
    updateMs += time(() => {
      for (const device of next) registry.devices.set(device.id, device);
    }).cpuMs;
    await nextTurn();
    const selector = selectors[turn % selectors.length]!;
    const { cpuMs, value } = time(() => index.idsOf(selectSet(index, selector.compiled, { nowMs })));
    selectMs += cpuMs;
    slowestMs = Math.max(slowestMs, cpuMs);
    selections += 1;
    if (selectSet(index, torn.compiled, { nowMs }).size > 0) wrong += 1;
    if (turn % checkEvery !== 0) continue;
    checked += 1;
    const truth = selectIds(selector, fleet, nowMs);
    if (truth.length !== value.length || truth.some((id, at) => id !== value[at])) wrong += 1;
  }
  const updatesPerSecond = (turns * updatesInTurn) / (updateMs / 1_000);
  return {
    updates: turns * updatesInTurn,
    updatesPerSecond: Math.round(updatesPerSecond),
    /** Of one core, at 50,000 updates a second. */
    updateShare: round(50_000 / updatesPerSecond, 3),
    selections,
    selectionsPerSecondBeside: round((1 - 50_000 / updatesPerSecond) / (selectMs / selections / 1_000), 1),
    meanMs: round(selectMs / selections),
    slowestMs: round(slowestMs),
    heldAgainstTheFleet: checked,
    wrong,
  };
}
