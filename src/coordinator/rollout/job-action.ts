import type { RolloutAction } from '../../client/contract/rollout-action.ts';
import { needsRun } from '../job/job-request.ts';
import type { Action } from './action.ts';
import { rule } from './rule.ts';
import { cancelStep, runStep, takesRule } from './step.ts';

/**
 * One execution of a job on the device, or a document of settings that is set by one. All that a job promises holds: it
 * runs at most once for each try, and what nobody knows the end of is told so and not tried again.
 */
export function jobAction(action: Exclude<RolloutAction, { kind: 'certificate' }>): Action {
  return {
    *fits() {},
    *ready(asking) {
      const { document, target, facts } = asking;
      if (action.kind === 'job') {
        if (needsRun({ action: action.job })) yield takesRule(asking, 'job.run');
        return;
      }
      const held = facts.config(target.deviceId, action.name);
      const isSame = held?.takenUp === true && held.sha256 === document.terms?.documentSha256;
      yield rule('settings', isSame ? 'already' : 'ok', () => {
        if (held === undefined) return `was never given settings ${action.name}`;
        const told = `version ${held.version} of ${action.name}${held.takenUp ? '' : ', not taken up'}`;
        return isSame ? `has them: ${told}` : `has others: ${told}`;
      });
      yield takesRule(asking, 'config.desired');
    },
    *notes() {},
    ask: (asking) => ({ kept: {}, effects: [runStep(asking)] }),
    observe: () => undefined,
    cancel: (asking) => [cancelStep(asking)],
  };
}
