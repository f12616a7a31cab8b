import type { Action } from './action.ts';
import { revertedRule } from './reverted-rule.ts';
import { rule } from './rule.ts';
import { cancelStep, runStep, takesRule } from './step.ts';

/**
 * Another version of the agent. The device tries it and goes back by itself; what it says of that is believed with the
 * evidence that an update from hand to hand needs, too (core/agent-update-operation.ts).
 */
export const agentAction: Action = {
  fits: (asking) => [revertedRule(asking, asking.document.terms!.program!.bundle.bundleUuid)],
  ready(asking) {
    const { facts, target } = asking;
    const { release, bundle } = asking.document.terms!.program!;
    const isCurrent = facts.hasAgent(target.deviceId, bundle.bundleUuid);
    const current = rule('agent', isCurrent ? 'already' : 'ok', () =>
      isCurrent ? `its agent is ${release}` : `its agent is not known to be ${release}`,
    );
    const other = facts.agentUpdate(target.deviceId);
    const free = rule('agent-update', other === undefined ? 'ok' : 'waits', () =>
      other === undefined ? 'no update of its agent is under way' : `update ${other} of its agent is under way`,
    );
    return [current, takesRule(asking, 'agent.offer'), free];
  },
  notes: () => [],
  ask: (asking) => ({ kept: {}, effects: [runStep(asking)] }),
  observe: () => undefined,
  cancel: (asking) => [cancelStep(asking)],
};
