/**
 * What a rollout does to each of its devices. The reducer knows none of them by name: it asks these questions, and goes by
 * phases, gates, caps and timers alike for all. The rules are asked at every step of every rollout: lists, since a
 * generator within a generator costs ten times as much.
 */
import type { Effect } from '../effect.ts';
import type { OfferFacts } from './offer-facts.ts';
import type { RolloutDocument } from './rollout-state.ts';
import type { OfferRule } from './rule.ts';
import type { StepReport } from './step-report.ts';
import type { TargetDevice } from './target-device.ts';

export interface Asking {
  document: RolloutDocument;
  target: TargetDevice;
  facts: OfferFacts;
  nowMs: number;
}

export interface Action {
  /** Whether it fits the device at all; asked before anything waits for its phase or its connection. */
  fits(asking: Asking): readonly OfferRule[];
  /** Of a device that is connected: whether it is so already, and whether its agent takes it. */
  ready(asking: Asking): readonly OfferRule[];
  /** What stands in an offer that is made now: for a person, never a refusal. */
  notes(asking: Asking): readonly OfferRule[];
  /** What the device is asked, and what is kept of it, to judge by later. */
  ask(asking: Asking): { kept: Partial<TargetDevice>; effects: Effect[] };
  /** What the coordinator has seen itself of a device that is at it. */
  observe(asking: Asking): StepReport | undefined;
  /** The device is to stop, if it still can. What becomes of it is told as ever. */
  cancel(asking: Asking & { reason: string }): Effect[];
}
