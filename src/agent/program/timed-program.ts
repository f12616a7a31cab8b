import type { TimedState } from '../updater/state-timer.ts';
import { unwrittenMs } from '../updater/update-timer.ts';
import { programLeftMs, programOverdue, type ProgramLimitSource } from './program-limit.ts';
import type { ProgramStore } from './program-store.ts';
import type { ProgramHappening } from './program-table.ts';
import { isLive } from './program-update.ts';

/** The update of the agent that is under way, for its timer. */
export function timedProgram(store: ProgramStore, source: ProgramLimitSource): TimedState<ProgramHappening> {
  const current = () => {
    const update = store.table.current();
    return update !== undefined && isLive(update) ? update : undefined;
  };
  return {
    overdue() {
      const update = current();
      return update === undefined ? undefined : programOverdue(update, source, store.now());
    },
    spans() {
      const update = current();
      if (update === undefined) return undefined;
      const now = store.now();
      const { timer } = update;
      return {
        leftMs: programLeftMs(update, source, now),
        spentMs: timer?.spentMs ?? 0,
        unwrittenMs: unwrittenMs(timer, now),
      };
    },
    write: () => store.tick(),
  };
}
