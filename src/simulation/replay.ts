import type { RolloutOutcome, RolloutRecordingRow } from '../client/contract/rollout-recording.ts';
import type { RolloutReport } from '../client/contract/rollout-report.ts';
import { reportRollout } from '../coordinator/rollout/report-rollout.ts';
import { RolloutReplay } from '../coordinator/rollout/rollout-replay.ts';
import { FlotillaError } from '../error.ts';

export interface Replayed {
  version: 1;
  rollout: string;
  steps: number;
  /** What came out otherwise than it was recorded; empty: the same rollout, to the last field. */
  differences: string[];
  report: RolloutReport;
}

/**
 * Goes through a recording again, with the rules of this version.
 * @throws FlotillaError `usage` for rows that are no whole recording
 */
export async function replayRecording(
  rows: Iterable<RolloutRecordingRow> | AsyncIterable<RolloutRecordingRow>,
): Promise<Replayed> {
  let rollout: string | undefined;
  let replay: RolloutReplay | undefined;
  let outcome: RolloutOutcome | undefined;
  let steps = 0;
  let lastMs = 0;
  for await (const row of rows) {
    if (row.kind === 'recording' && row.version === 1) rollout = row.rollout;
    else if (row.kind === 'plan') replay = new RolloutReplay(row);
    else if (row.kind === 'step' && replay !== undefined) {
      replay.step(row);
      steps += 1;
      lastMs = row.atMs;
    } else if (row.kind === 'outcome') outcome = row;
    else throw noRecording(`a row ${JSON.stringify(row.kind)}`);
  }
  if (rollout === undefined) throw noRecording('no first row of kind recording');
  if (replay === undefined) throw noRecording('no plan: it was started by a coordinator that did not record');
  if (outcome === undefined) throw noRecording('no last row of kind outcome');
  const { document, devices } = replay.rollout;
  return {
    version: 1,
    rollout,
    steps,
    differences: replay.differences(outcome),
    report: reportRollout(document, [...devices], lastMs),
  };
}

function noRecording(seen: string): FlotillaError {
  return new FlotillaError('usage', 'recording-malformed', 'this is no whole recording of a rollout', {
    seen,
    expected: 'what flotilla rollout export has written',
  });
}
