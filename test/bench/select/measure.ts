/** One fleet in a process of its own: `--devices N`. One JSON document on stdout. */
import { parseArgs } from 'node:util';
import { Registry } from '../../../src/coordinator/registry/registry.ts';
import { parseSelector, selectIds } from '../../../src/selector/index.ts';
import { selectSet } from '../../../src/selector/plan/index.ts';
import type { DeviceRow } from '../../../src/store/row.ts';
import { chance, changed, deviceJson, readDevice } from './bench-fleet.ts';
import { mean, round, time, usedMiB } from './clock.ts';
import { measureMixed } from './mixed.ts';
import { catastrophic, expressions } from './expression.ts';

const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000' } } });
const count = Number(values.devices);
const nowMs = Date.UTC(2026, 10, 26);
const repeats = 15;
const chunk = 10_000;
const updateCount = 200_000;
const say = (text: string): void => void process.stderr.write(`${count} devices: ${text}\n`);

const emptyMiB = usedMiB();
const fleet: DeviceRow[] = [];
let parseMs = 0;
for (let from = 0; from < count; from += chunk) {
  const texts = Array.from({ length: Math.min(chunk, count - from) }, (_, n) => deviceJson(from + n));
  parseMs += time(() => {
    for (const text of texts) fleet.push(readDevice(text));
  }).cpuMs;
}
const fleetMiB = usedMiB() - emptyMiB;
say(`read in ${round(parseMs / 1_000)} s, ${round(fleetMiB)} MiB`);

const registry = new Registry<object>();
const { index } = registry;
const built = time(() => {
  for (const device of fleet) registry.devices.set(device.id, device);
  return index.order.runs.length;
});
const indexMiB = usedMiB() - emptyMiB - fleetMiB;
say(`indexed in ${round(built.cpuMs / 1_000)} s, ${round(indexMiB)} MiB`);

const results: Record<string, unknown> = {};
for (const { name, text, by } of expressions) {
  const naive = time(() => selectIds(parseSelector(text), fleet, nowMs));
  const first = time(() => index.idsOf(selectSet(index, parseSelector(text).compiled, { nowMs })));
  const runs = Array.from({ length: repeats }, () =>
    time(() => index.idsOf(selectSet(index, parseSelector(text).compiled, { nowMs })).length),
  );
  const counted = Array.from({ length: repeats }, () =>
    time(() => selectSet(index, parseSelector(text).compiled, { nowMs }).size),
  );
  const ids = first.value;
  const isSame = ids.length === naive.value.length && ids.every((id, at) => id === naive.value[at]);
  const matchMs = mean(runs.map((run) => run.cpuMs));
  results[name] = {
    expression: text,
    by,
    matched: ids.length,
    firstMs: round(first.cpuMs),
    matchMs: round(matchMs),
    countMs: round(mean(counted.map((run) => run.cpuMs))),
    wallMs: round(mean(runs.map((run) => run.wallMs))),
    naiveMs: round(naive.cpuMs),
    ratio: round(naive.cpuMs / matchMs, 1),
    isSame,
  };
  say(`${name}: ${JSON.stringify(results[name])}`);
}

const bounded: Record<string, unknown> = {};
for (const text of catastrophic) {
  const { cpuMs, value } = time(() => selectSet(index, parseSelector(text).compiled, { nowMs }).size);
  bounded[text.slice(0, 60)] = { matched: value, cpuMs: round(cpuMs) };
  say(`catastrophic ${text.slice(0, 60)}: ${round(cpuMs)} ms`);
}

const random = chance(4);
let updateMs = 0;
for (let done = 0; done < updateCount; done += chunk) {
  const next = Array.from({ length: chunk }, () => {
    const at = Math.floor(random() * count);
    fleet[at] = changed(fleet[at]!, random);
    return fleet[at];
  });
  updateMs += time(() => {
    for (const device of next) registry.devices.set(device.id, device);
  }).cpuMs;
}
const updatesPerSecond = Math.round(updateCount / (updateMs / 1_000));
say(`${updatesPerSecond} updates a second`);

const mixed = await measureMixed(registry, fleet, nowMs);
say(`mixed: ${JSON.stringify(mixed)}`);

process.stdout.write(
  `${JSON.stringify({
    devices: count,
    load: { cpuMs: round(parseMs), miB: round(fleetMiB), bytesEach: Math.round((fleetMiB * 2 ** 20) / count) },
    index: { cpuMs: round(built.cpuMs), miB: round(indexMiB), bytesEach: Math.round((indexMiB * 2 ** 20) / count) },
    updates: { count: updateCount, perSecond: updatesPerSecond },
    expressions: results,
    catastrophic: bounded,
    mixed,
  })}\n`,
);
