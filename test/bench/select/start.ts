/** How long a coordinator takes to know its fleet again: `--devices N` in a store on this disk. One JSON document. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadState } from '../../../src/coordinator/core/load-state.ts';
import { openStore } from '../../../src/store/store.ts';
import { deviceJson, readDevice } from './bench-fleet.ts';
import { round, time } from './clock.ts';

const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000' } } });
const count = Number(values.devices);
const chunk = 2_000;
const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
const directory = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
try {
  const path = join(directory, 'flotilla.db');
  const filled = await openStore({ path, entry });
  for (let from = 0; from < count; from += chunk) {
    const length = Math.min(chunk, count - from);
    await filled.commit(
      Array.from({ length }, (_, n) => ({ kind: 'device' as const, device: readDevice(deviceJson(from + n)) })),
    );
  }
  await filled.close();
  const start = performance.now();
  const store = await openStore({ path, entry });
  const openMs = performance.now() - start;
  const snapshotStart = performance.now();
  await store.load();
  const readMs = performance.now() - snapshotStart;
  const stateStart = performance.now();
  const state = await loadState(store, 'bench', '00'.repeat(8), 0);
  const stateMs = performance.now() - stateStart;
  const sorted = time(() => state.registry.index.order.runs.length);
  await store.close();
  process.stdout.write(
    `${JSON.stringify({
      devices: state.devices.size,
      openMs: round(openMs),
      readMs: round(readMs),
      readAndIndexMs: round(stateMs),
      sortMs: round(sorted.wallMs),
    })}\n`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
