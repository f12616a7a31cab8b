import type { Action } from './action.ts';
import { agentAction } from './agent-action.ts';
import { certificateAction } from './certificate-action.ts';
import { firmwareAction } from './firmware-action.ts';
import { jobAction } from './job-action.ts';
import type { RolloutDocument } from './rollout-state.ts';

/** The one place that tells one kind of rollout from another. */
export function actionOf({ bundle, action }: Pick<RolloutDocument, 'bundle' | 'action'>): Action {
  if (bundle !== undefined) return firmwareAction;
  if (action?.kind === 'agent-update') return agentAction;
  return action?.kind === 'certificate' ? certificateAction : jobAction;
}
