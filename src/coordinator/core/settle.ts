import { auditRule } from '../audit/write-audit.ts';
import type { Effect } from '../effect.ts';
import { setConfigOfJob } from './config-operation.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { stepJob } from './job-operation.ts';
import { enqueueRequest, flushRequests, withdrawRequest } from './request-operation.ts';
import { rollBack } from './rollout-operation.ts';
import { cancelStep, endSteps, runStep } from './step-operation.ts';
import type { Turn } from './turn.ts';

/** Carries out what the reducers want, and what follows from that. Nothing leaves before the commit: see Turn. */
export function settle(turn: Turn): void {
  while (turn.effects.length > 0 || turn.toFlush.size > 0) {
    for (const effect of turn.effects.splice(0)) carryOut(turn, effect);
    flushRequests(turn);
  }
}

function carryOut(turn: Turn, effect: Effect): void {
  switch (effect.kind) {
    case 'member':
      return;
    case 'request':
      return enqueueRequest(turn, effect.deviceId, effect.request);
    case 'withdraw':
      return withdrawRequest(turn, effect.deviceId, effect.type, effect.key);
    case 'set-config':
      return setConfigOfJob(turn, effect);
    case 'quarantine-bundle': {
      const { deviceId, bundleUuid } = effect;
      if (!changeDevice(turn, deviceId, { kind: 'quarantine-bundle', bundleUuid })) return;
      const type = 'coordinator.bundle-quarantined';
      appendOwnEvent(turn, { deviceId, type, key: bundleUuid, payload: { bundleUuid } });
      const note = { action: 'bundle.quarantine', subject: bundleUuid, detail: {}, devices: [deviceId] };
      return auditRule(turn, 'rollback', note);
    }
    case 'more':
      turn.followUps.push((next) => stepJob(next, effect.jobId, { kind: 'more' }));
      return;
    case 'grant': {
      const live = turn.state.live.get(effect.deviceId);
      if (live?.standing === 'accepted')
        turn.afterCommit((gateway) => gateway.grantBlob(live.connection, effect.sha256));
      return;
    }
    case 'roll-back':
      return rollBack(turn, effect);
    case 'run-step':
      return runStep(turn, effect);
    case 'cancel-step':
      return cancelStep(turn, effect);
    case 'end-steps':
      return endSteps(turn, effect.rolloutId);
    case 'event':
      return appendOwnEvent(turn, effect);
  }
}
