/**
 * `firing-core.ts DATABASE`: a real core and store with a schedule that is due each minute of a clock that runs ahead, and
 * a job at each firing, for ever. Prints the time of each firing once it is stored; made to be killed.
 */
import { Core } from '../../src/coordinator/core/core.ts';
import { loadState } from '../../src/coordinator/core/load-state.ts';
import { putDevice } from '../../src/coordinator/core/device-operation.ts';
import { putSchedule } from '../../src/coordinator/core/schedule-operation.ts';
import type { GatewayPort } from '../../src/coordinator/gateway/port.ts';
import { newDevice } from '../../src/coordinator/registry/reduce-device.ts';
import { fireDue } from '../../src/coordinator/service/fire-schedule.ts';
import { createLog } from '../../src/log.ts';
import { openStore } from '../../src/store/index.ts';

const minuteMs = 60_000;
const name = 'each-minute';
const [path = ''] = process.argv.slice(2);
const store = await openStore({ path, entry: new URL('../../src/bin/store-thread.ts', import.meta.url) });
const state = await loadState(store, 'harbour', '00000000000000c0', 0);
let nowMs = state.schedules.get(name)?.nextAtMs ?? minuteMs;
const core = new Core({
  store,
  state,
  clock: { nowMs: () => nowMs, monotonicMs: () => nowMs, schedule: () => () => undefined },
  log: createLog({ name: 'core', level: 'silent' }),
});
await core.start(new Proxy({} as GatewayPort, { get: () => () => undefined }));
const context = {
  newId: (prefix: string) => `${prefix}-${nowMs}-${process.pid}`,
  jobs: { defaultTimeoutSeconds: 1, defaultExpiresSeconds: 1e9, confirmAboveShare: 1 },
  random: () => 0,
  returners: { always: [], known: new Set<string>() },
};
if (!state.schedules.has(name)) {
  await core.submit((turn) => {
    putDevice(turn, { ...newDevice('gw-1', 'accepted', nowMs) });
    putSchedule(turn, {
      name,
      state: 'active',
      trigger: { kind: 'cron', cron: '* * * * *', zone: 'UTC' },
      missed: 'skip',
      job: { selector: '*', action: { kind: 'ping' } },
      expected: { matched: 1, fleet: 1 },
      createdBy: 'local:0',
      createdAtMs: nowMs,
      nextAtMs: nowMs,
      firings: [],
    });
  });
}
for (; ; nowMs += minuteMs) {
  await core.submit((turn) => fireDue(turn, context));
  process.stdout.write(`${nowMs}\n`);
}
