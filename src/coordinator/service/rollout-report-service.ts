import type { RolloutRecordingRow, RolloutStepRow } from '../../client/contract/rollout-recording.ts';
import type { RolloutReport } from '../../client/contract/rollout-report.ts';
import type { RolloutOutcomeRow } from '../../store/index.ts';
import { reportRollout } from '../rollout/report-rollout.ts';
import type { RolloutDocument } from '../rollout/rollout-state.ts';
import type { TargetDevice } from '../rollout/target-device.ts';
import type { ServiceContext } from './context.ts';
import { unknownRollout } from './rollout-service.ts';

/** Steps read from the store at a time. */
const pageSteps = 1_000;

export async function showRolloutReport(context: ServiceContext, id: string): Promise<RolloutReport> {
  const { rollout, members } = await outcomeOf(context, id);
  const devices = members.map(({ document }) => document as TargetDevice);
  const nowMs = await context.core.submit((turn) => turn.nowMs);
  return reportRollout(rollout.document as RolloutDocument, devices, nowMs);
}

/** The plan, each step, and what has come of it so far; page by page. */
export async function recordRollout(
  context: ServiceContext,
  id: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<RolloutRecordingRow>> {
  return recording(context, id, await outcomeOf(context, id), signal);
}

async function* recording(
  { core }: ServiceContext,
  rolloutId: string,
  { rollout, members, lastRow }: RolloutOutcomeRow,
  signal: AbortSignal,
): AsyncGenerator<RolloutRecordingRow> {
  yield { kind: 'recording', version: 1, rollout: rolloutId };
  for (let afterRow = 0; !signal.aborted;) {
    const page = { rolloutId, afterRow, upToRow: lastRow, limit: pageSteps };
    const rows = await core.store.rolloutSteps(page);
    for (const { step } of rows) yield step as RolloutStepRow;
    if (rows.length < pageSteps) break;
    afterRow = rows.at(-1)!.row;
  }
  yield {
    kind: 'outcome',
    document: rollout.document as object,
    devices: members.map(({ document }) => document as object),
  };
}

async function outcomeOf({ core }: ServiceContext, id: string): Promise<RolloutOutcomeRow> {
  const row = await core.store.rolloutOutcome(id);
  if (row === undefined) throw unknownRollout(id);
  return row;
}
