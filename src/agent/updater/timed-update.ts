import type { TimedState } from './state-timer.ts';
import type { UpdateHappening } from './transition.ts';
import { leftMs, overdue, type LimitSource } from './update-limit.ts';
import type { UpdateStore } from './update-store.ts';
import { unwrittenMs } from './update-timer.ts';

/** The update under way, for its timer. */
export function timedUpdate(store: UpdateStore, source: LimitSource): TimedState<UpdateHappening> {
  return {
    overdue() {
      const update = store.table.current();
      return update === undefined ? undefined : overdue(update, source, store.now());
    },
    spans() {
      const update = store.table.current();
      if (update === undefined) return undefined;
      const now = store.now();
      const { timer, wait } = update;
      const spentMs = (wait === undefined ? timer?.spentMs : timer?.waitedMs[wait.code]) ?? 0;
      return { leftMs: leftMs(update, source, now), spentMs, unwrittenMs: unwrittenMs(timer, now) };
    },
    write: () => void store.note({ type: 'ticked' }),
  };
}
