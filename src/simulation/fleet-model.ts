import { fixed, type Stretch } from './stretch.ts';

/** Of those that the selector matches (all, when left out), so large a share (0 to 1; all, when left out). */
export interface Who {
  devices?: string;
  share?: number;
}

export const failureEnds = ['rolled-back', 'failed', 'rejected', 'silent'] as const;
/** `silent`: it never comes back from its restart. */
export type FailureEnd = (typeof failureEnds)[number];

/** `run`: of an action that is no update; `approval`: of a person, for a phase that asks for one. */
export const simulatedSteps = ['answer', 'download', 'install', 'reboot', 'test', 'run', 'approval'] as const;
export type SimulatedStep = (typeof simulatedSteps)[number];

/** How the devices of a fleet behave under an update. */
export interface FleetModel {
  takes?: Partial<Record<SimulatedStep, Stretch>>;
  /** `rolled-back` when left out: it does not pass its health checks. `reason` is the code that it reports. */
  failures?: readonly (Who & { as?: FailureEnd; reason?: string })[];
  /** Away from the start; `for` when left out: for good. */
  offline?: readonly (Who & { for?: Stretch })[];
  /** Their link comes and goes. */
  flapping?: readonly (Who & { up?: Stretch; down?: Stretch })[];
  /** Their product puts the update off. */
  deferring?: readonly (Who & { for?: Stretch })[];
}

const secondMs = 1000;
const minuteMs = 60 * secondMs;

/** Of what a model does not say. */
export const defaultTakes: Record<SimulatedStep, Stretch> = {
  answer: fixed(secondMs),
  download: { kind: 'between', fromMs: 30 * secondMs, toMs: 3 * minuteMs },
  install: { kind: 'between', fromMs: 20 * secondMs, toMs: minuteMs },
  reboot: { kind: 'between', fromMs: 20 * secondMs, toMs: minuteMs },
  test: fixed(30 * secondMs),
  run: { kind: 'between', fromMs: secondMs, toMs: 10 * secondMs },
  approval: fixed(0),
};
export const defaultFlapping: { up: Stretch; down: Stretch } = {
  up: { kind: 'average', fromMs: 10 * minuteMs, toMs: 10 * minuteMs },
  down: { kind: 'average', fromMs: 2 * minuteMs, toMs: 2 * minuteMs },
};
export const defaultDeferral: Stretch = fixed(60 * minuteMs);
