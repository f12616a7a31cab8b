import type { RolloutRecordingRow, RolloutStepRow } from '../../client/contract/rollout-recording.ts';
import type { RolloutReport } from '../../client/contract/rollout-report.ts';
import { FlotillaError } from '../../error.ts';
import type { RolloutOutcomeRow } from '../../store/index.ts';
import { reportRollout } from '../rollout/report-rollout.ts';
import { planRow, type JournalPlan } from '../rollout/rollout-journal.ts';
import type { RolloutDocument } from '../rollout/rollout-state.ts';
import type { TargetDevice } from '../rollout/target-device.ts';
import type { ServiceContext } from './context.ts';
import { unknownRollout } from './rollout-service.ts';
import { keptRecordings } from './trim-recording.ts';

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
  const outcome = await outcomeOf(context, id);
  const page = { rolloutId: id, afterRow: 0, upToRow: outcome.lastRow, limit: 1 };
  const [first] = await context.core.store.rolloutSteps(page);
  const plan = first?.step as JournalPlan | undefined;
  if (plan?.kind !== 'plan') throw forgotten(id);
  return recording(context, { ...outcome, id, plan, afterRow: first!.row }, signal);
}

async function* recording(
  { core }: ServiceContext,
  { id, rollout, members, lastRow, plan, afterRow }: RolloutOutcomeRow & Begun,
  signal: AbortSignal,
): AsyncGenerator<RolloutRecordingRow> {
  const devices = members.map(({ document }) => document as TargetDevice);
  yield { kind: 'recording', version: 1, rollout: id };
  yield planRow(plan, devices);
  for (let after = afterRow; !signal.aborted;) {
    const page = { rolloutId: id, afterRow: after, upToRow: lastRow, limit: pageSteps };
    const rows = await core.store.rolloutSteps(page);
    for (const { step } of rows) yield step as RolloutStepRow;
    if (rows.length < pageSteps) break;
    after = rows.at(-1)!.row;
  }
  yield { kind: 'outcome', document: rollout.document as object, devices };
}

/** A recording whose first row was found. */
interface Begun {
  id: string;
  plan: JournalPlan;
  afterRow: number;
}

function forgotten(id: string): FlotillaError {
  return new FlotillaError('refused', 'recording-forgotten', `of rollout ${id} no recording is kept`, {
    seen: 'its first step is gone',
    expected: `a rollout that goes on, or one of the last ${keptRecordings} that have ended`,
    suggestion: `flotilla rollout report ${id}`,
  });
}

async function outcomeOf({ core }: ServiceContext, id: string): Promise<RolloutOutcomeRow> {
  const row = await core.store.rolloutOutcome(id);
  if (row === undefined) throw unknownRollout(id);
  return row;
}
