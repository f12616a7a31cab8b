/**
 * A rollout as the coordinator went through it, an NDJSON row each: the plan, the steps, the outcome. What stands in a
 * document, a device and an input is the coordinator's own and may change from one version to the next.
 */
export type RolloutRecordingRow = RolloutHeadRow | RolloutPlanRow | RolloutStepRow | RolloutOutcome;

export interface RolloutHeadRow {
  kind: 'recording';
  version: 1;
  rollout: string;
}

export interface RolloutPlanRow {
  kind: 'plan';
  document: object;
  devices: readonly object[];
}

export interface RolloutStepRow {
  kind: 'step';
  atMs: number;
  input: object;
  /** What was asked, and answered otherwise than one expects or than in a step before. */
  facts?: RolloutFact[];
  /** Targets that were found connected, and those that were found away: other than before. */
  came?: PositionRange[];
  went?: PositionRange[];
}

/** Without an answer: there is none. */
export type RolloutFact = [name: string, question: readonly unknown[], answer?: unknown];

/** In the order of the targets, from 0; both ends belong to it. */
export type PositionRange = [first: number, last: number];

export interface RolloutOutcome {
  kind: 'outcome';
  document: object;
  devices: readonly object[];
}
