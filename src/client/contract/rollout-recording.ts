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
  /** Question and answer, both JSON; an empty answer: nothing. Those that are not as in a step before. */
  facts?: [question: string, answer: string][];
}

export interface RolloutOutcome {
  kind: 'outcome';
  document: object;
  devices: readonly object[];
}
