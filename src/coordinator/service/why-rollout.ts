/** What stands between a target and its release. The rules of the offer are the very ones that the reducer asks. */
import type { StepProof } from '../../client/contract/rollout-action.ts';
import type { WhyRule } from '../../client/contract/why.ts';
import type { Evidence } from '../../protocol/event.ts';
import { isServed, type CoreState } from '../core/core-state.ts';
import { offerFacts } from '../core/rollout-operation.ts';
import { judgePhase } from '../rollout/gate.ts';
import { offerRules } from '../rollout/offer-rule.ts';
import type { RolloutState } from '../rollout/rollout-state.ts';
import { deadlineOf } from '../rollout/rollout-timer.ts';
import { judgeHealth } from '../rollout/judge-health.ts';
import { isInFlight, isSuccess, type TargetDevice } from '../rollout/target-device.ts';

export function* rolloutRules(
  state: CoreState,
  rollout: RolloutState,
  target: TargetDevice,
  nowMs: number,
): Generator<WhyRule> {
  const { document } = rollout;
  yield { rule: 'selector', verdict: 'ok', detail: `a target of '${document.selector}', phase ${target.phase + 1}` };
  if (target.state === 'waiting' || target.state === 'queued') {
    for (const { rule, result, detail } of offerRules(rollout, target, offerFacts(state, nowMs), nowMs)) {
      if (rule === 'registered' || rule === 'connected') continue; // said above
      yield { rule, verdict: result === 'ok' ? 'ok' : 'blocks', detail: detail() };
    }
    yield* gateRule(rollout, target, nowMs);
    return;
  }
  yield* waitRule(target, nowMs);
  yield stateRule(state, rollout, target, nowMs);
  if (target.evidence !== undefined) yield evidenceRule(target.evidence, isSuccess(target.state));
  if (target.proof !== undefined) yield proofRule(target.proof, isSuccess(target.state));
}

/** Why the phase before does not let the next begin. */
function* gateRule(rollout: RolloutState, target: TargetDevice, nowMs: number): Generator<WhyRule> {
  const { document, tallies, reachable } = rollout;
  const { currentPhase, phases } = document;
  const phase = phases[currentPhase];
  const sum = tallies[currentPhase];
  if (target.phase <= currentPhase || phase === undefined || sum === undefined) return;
  const isLast = currentPhase === phases.length - 1;
  const verdict = judgePhase(phase, sum, reachable[currentPhase] ?? 0, isLast, nowMs);
  yield {
    rule: 'gate',
    verdict: verdict.kind === 'passed' ? 'ok' : 'blocks',
    detail: `phase ${currentPhase + 1}: ${verdict.detail}`,
  };
  for (const { ok, detail } of judgeHealth(rollout, currentPhase, nowMs)) {
    yield {
      rule: 'gate-health',
      verdict: ok || phase.healthy === true ? 'ok' : 'blocks',
      detail: `phase ${currentPhase + 1}: ${detail}`,
    };
  }
}

/** What the device itself waits for: its product, its owner, a window, somebody's word. */
function* waitRule({ wait }: TargetDevice, nowMs: number): Generator<WhyRule> {
  if (wait === undefined) return;
  const left = wait.untilMs === undefined ? '' : `; looks again in ${secondsUntil(wait.untilMs, nowMs)} s`;
  yield { rule: 'device-wait', verdict: 'blocks', detail: `${wait.message} (${wait.code})${left}` };
}

function stateRule(state: CoreState, rollout: RolloutState, target: TargetDevice, nowMs: number): WhyRule {
  const since = `${target.state} since ${new Date(target.sinceMs).toISOString()}`;
  if (isSuccess(target.state)) return { rule: 'state', verdict: 'ok', detail: since };
  const reason = target.reason === undefined ? '' : `: ${target.reason.message} (${target.reason.code})`;
  if (!isInFlight(target.state)) return { rule: 'state', verdict: 'blocks', detail: `${since}${reason}` };
  const presence = {
    connected: isServed(state, target.deviceId),
    sinceMs: offerFacts(state, nowMs).sinceMs(target.deviceId, target.activeAtMs),
  };
  const deadline = deadlineOf(rollout.document, target, presence);
  const left = deadline === undefined ? '' : `; times out in ${secondsUntil(deadline.atMs, nowMs)} s`;
  return { rule: 'state', verdict: 'unknown', detail: `${since}, attempt ${target.attempts}${left}` };
}

/** On both sides of the restart, as far as it came. */
function evidenceRule(
  { before, after, health, slotDigestMatches, deltaFrom, deltaFailed }: Evidence,
  proven: boolean,
): WhyRule {
  const sick = health
    .filter(({ ok }) => !ok)
    .map(({ name, output = '' }) => `${name}${output === '' ? '' : ` (${output.trim()})`}`);
  const parts = [
    after === undefined
      ? `no restart was seen; slot ${before.slot ?? '?'} runs ${before.bundleUuid ?? 'an unknown bundle'}`
      : `slot ${before.slot ?? '?'} → ${after.slot ?? '?'}, boot ${before.bootId} → ${after.bootId}, runs ${after.bundleUuid ?? 'an unknown bundle'}`,
    ...(slotDigestMatches === undefined
      ? []
      : [slotDigestMatches ? "bytes are the bundle's" : "bytes are not the bundle's"]),
    `health ${health.length - sick.length} of ${health.length}${sick.length === 0 ? '' : `: failed ${sick.join(', ')}`}`,
    ...(deltaFrom === undefined ? [] : [`by a delta from ${deltaFrom}`]),
    ...(deltaFailed === undefined ? [] : [`the delta was given up: ${deltaFailed}`]),
  ];
  return { rule: 'evidence', verdict: proven ? 'ok' : 'unknown', detail: parts.join('; ') };
}

function proofRule(proof: StepProof, proven: boolean): WhyRule {
  const verdict = proven ? 'ok' : 'unknown';
  if (proof.kind === 'job') {
    const ending = proof.exitCode === undefined ? '' : `exit ${proof.exitCode}; `;
    return { rule: 'evidence', verdict, detail: `${ending}flotilla job show ${proof.jobId}` };
  }
  if (proof.kind === 'agent-update')
    return { rule: 'evidence', verdict, detail: `runs agent ${proof.version}, by update ${proof.updateId}` };
  const { serial, replaces, issuedAtMs, connectedAtMs } = proof;
  const before = replaces === undefined ? '' : `${replaces} → `;
  const times = `issued ${new Date(issuedAtMs).toISOString()}, in use since ${new Date(connectedAtMs).toISOString()}`;
  return { rule: 'evidence', verdict, detail: `certificate ${before}${serial}, ${times}` };
}

function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(0, Math.round((atMs - nowMs) / 1000));
}
