import type { ServiceContext } from './context.ts';

/** The newest ended rollouts whose steps stay, for `rollout export`. What has come of the others stays as well. */
export const keptRecordings = 32;
/** One commit takes no longer than those of the ingest. */
const rowsAtOnce = 5_000;

/** A rollout of a hundred thousand devices leaves a million steps behind. */
export async function trimRecordings({ core }: Pick<ServiceContext, 'core'>): Promise<void> {
  for (;;) {
    const rows = await core.store.surplusRolloutSteps({ keep: keptRecordings, limit: rowsAtOnce });
    if (rows.length === 0) return;
    await core.submit((turn) => turn.write({ kind: 'rollout-steps-removed', rows }));
  }
}
