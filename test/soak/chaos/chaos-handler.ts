import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import type { TestFleet } from '../../support/fleet.ts';
import type { Confirmed } from './door-publisher.ts';

export interface ChaosHandler extends AsyncDisposable {
  /**
   * SIGKILL to `event handle`; another is started. Not before it has handled something since the last time: an event that
   * its handler ends with three times is a dead letter, whoever ended it.
   */
  kill(): void;
  /** Resolves when everything but poison was noted, and says why when it was not in time. */
  caughtUp(ledger: readonly Confirmed[]): Promise<void>;
  /** Confirmed, no poison, and never noted. */
  missing(ledger: readonly Confirmed[]): Promise<Confirmed[]>;
}

const script = join(import.meta.dirname, 'handler.ts');
const handlerTimeoutMs = 180_000;

/** `flotilla event handle` over the chaos events, started again whenever it ends. */
export async function chaosHandler(fleet: TestFleet): Promise<ChaosHandler> {
  const notes = join(fleet.scratch, 'handled.txt');
  await writeFile(notes, '');
  const stopping = new AbortController();
  const run = () =>
    start(
      ['event', 'handle', 'chaos', '--type', 'chaos.*', '--backoff', '50ms', '--', process.execPath, script, notes],
      { cwd: fleet.scratch, env: { FLOTILLA_FLEET_DIR: fleet.dir }, timeoutMs: 3_600_000 },
    );
  let child = run();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await child;
      if (stopping.signal.aborted) return;
      await sleep(200);
      child = run();
    }
  })();
  let handledAtKill = -1;
  const kill = (): void => {
    const handled = new Set(readFileSync(notes, 'utf8').split('\n')).size;
    if (handled === handledAtKill) return;
    handledAtKill = handled;
    child.kill('SIGKILL');
  };
  const missing = async (ledger: readonly Confirmed[]): Promise<Confirmed[]> => {
    const noted = new Set((await readFile(notes, 'utf8')).split('\n'));
    return ledger.filter(({ device, type, n, poison }) => !poison && !noted.has(`${device} ${type} ${n}`));
  };
  return {
    kill,
    missing,
    async caughtUp(ledger) {
      await eventually('the handler has had everything', async () => (await missing(ledger)).length === 0, {
        timeoutMs: handlerTimeoutMs,
        everyMs: 1_000,
      });
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      child.kill('SIGKILL');
      await loop;
    },
  };
}
