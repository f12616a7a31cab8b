import { needsRun } from '../job/job-request.ts';
import type { Action, Asking } from './action.ts';
import { rule, type OfferRule } from './rule.ts';
import { cancelStep, runStep, takesRule } from './step.ts';

/**
 * One execution of a job on the device, or a document of settings that is set by one. All that a job promises holds: it
 * runs at most once for each try, and what nobody knows the end of is told so and not tried again.
 */
export const jobAction: Action = {
  fits: () => [],
  ready(asking) {
    const { action } = asking.document;
    if (action?.kind === 'config') return [settingsRule(asking, action.name), takesRule(asking, 'config.desired')];
    return action?.kind === 'job' && needsRun({ action: action.job }) ? [takesRule(asking, 'job.run')] : [];
  },
  notes: () => [],
  ask: (asking) => ({ kept: {}, effects: [runStep(asking)] }),
  observe: () => undefined,
  cancel: (asking) => [cancelStep(asking)],
};

function settingsRule({ document: { terms }, target, facts }: Asking, name: string): OfferRule {
  const held = facts.config(target.deviceId, name);
  const isSame = held?.takenUp === true && held.sha256 === terms?.documentSha256;
  return rule('settings', isSame ? 'already' : 'ok', () => {
    if (held === undefined) return `was never given settings ${name}`;
    const told = `version ${held.version} of ${name}${held.takenUp ? '' : ', not taken up'}`;
    return isSame ? `has them: ${told}` : `has others: ${told}`;
  });
}
