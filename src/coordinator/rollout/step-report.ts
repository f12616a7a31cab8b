import type { StepProof } from '../../client/contract/rollout-action.ts';
import type { Reason } from './target-device.ts';

/** What has become of an action on one device, where the action is no update of its firmware. */
export interface StepReport {
  /** Of this try; a word on another one is no news. Absent: of the one that is under way. */
  attempt?: number;
  state: 'running' | 'committed' | 'failed' | 'timed-out' | 'unknown' | 'rejected' | 'cancelled' | 'rolled-back';
  reason?: Reason;
  proof?: StepProof;
  /** It is known that trying again does it at most once more: only then may a retry of the policy be spent on it. */
  again?: true;
}
