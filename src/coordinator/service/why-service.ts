import type { Why, WhyRule } from '../../client/contract/why.ts';
import { isServed, type CoreState } from '../core/core-state.ts';
import { offerFacts } from '../core/rollout-operation.ts';
import { judgeAuthority, judgeCertificate, judgeDevice, judgePin, judgeReplaced } from '../identity/judge-connect.ts';
import { judgePhase } from '../rollout/gate.ts';
import { offerRules } from '../rollout/offer-rule.ts';
import { deviceOf, type RolloutState } from '../rollout/rollout-state.ts';
import { isInFlight, isSuccess, type TargetDevice } from '../rollout/target-device.ts';
import { deadlineOf } from '../rollout/rollout-timer.ts';
import type { ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';
import { unknownRollout } from './rollout-service.ts';
import { viewFreshness, viewLog } from './view-freshness.ts';

/** Every rule between a device and its update, in the order in which the coordinator asks them. */
export function why({ core, renewal }: ServiceContext, deviceId: string, rolloutId: string | undefined): Promise<Why> {
  return core.submit(({ state, nowMs }) => {
    const rollout = chooseRollout(state, deviceId, rolloutId);
    // One that was removed while a rollout had it is still explained.
    if (rollout?.index.has(deviceId) !== true && !state.devices.has(deviceId)) throw unknownDevice(deviceId);
    const rules: WhyRule[] = [
      ...identityRules(state, deviceId, renewal.overlapMs, nowMs),
      ...logRules(state, deviceId, nowMs),
    ];
    if (rollout !== undefined) rules.push(...rolloutRules(state, rollout, deviceId, nowMs));
    return {
      deviceId,
      ...(rollout === undefined ? {} : { rolloutId: rollout.document.id, release: rollout.document.release }),
      conclusion: conclude(deviceId, rollout, rules),
      rules,
    };
  });
}

/** The one asked for, else the newest that has this device as a target. */
function chooseRollout(state: CoreState, deviceId: string, rolloutId: string | undefined): RolloutState | undefined {
  if (rolloutId !== undefined) {
    const rollout = state.rollouts.get(rolloutId);
    if (rollout === undefined) throw unknownRollout(rolloutId);
    return rollout;
  }
  return [...state.rollouts.values()]
    .filter(({ index }) => index.has(deviceId))
    .toSorted((a, b) => b.document.startedAtMs - a.document.startedAtMs)[0];
}

function* identityRules(state: CoreState, deviceId: string, overlapMs: number, nowMs: number): Generator<WhyRule> {
  const device = state.devices.get(deviceId);
  for (const { rule, verdict, detail } of judgeDevice(device, deviceId)) yield { rule, verdict, detail };
  if (device === undefined) return;
  const serial = device.serial ?? state.serials.get(deviceId)?.at(-1);
  const certificate = serial === undefined ? undefined : state.certificates.get(serial);
  const issuer = certificate?.issuer ?? device.candidate?.issuer;
  if (issuer !== undefined) {
    const { rule, verdict, detail } = judgeAuthority(state.authorities.get(issuer), issuer);
    yield { rule, verdict, detail };
  }
  if (certificate === undefined) {
    const detail = device.candidate === undefined ? 'none on record' : `${device.candidate.serial} is not on record`;
    yield { rule: 'certificate', verdict: device.candidate === undefined ? 'unknown' : 'blocks', detail };
  } else {
    const judged = judgeCertificate(certificate, { ...certificate, serialHex: certificate.serial }, nowMs);
    yield { rule: 'certificate', verdict: judged.verdict, detail: judged.detail };
    if (certificate.replacedBy !== undefined) {
      const { rule, verdict, detail } = judgeReplaced(certificate, overlapMs, nowMs);
      yield { rule, verdict, detail };
    }
  }
  if (device.pin !== undefined) {
    const { rule, detail } = judgePin(device.pin, device.pin);
    yield { rule, verdict: 'ok', detail };
  }
  if (device.refused !== undefined) {
    const { rule, reason, atMs } = device.refused;
    const isOver = state.live.has(deviceId);
    yield { rule, verdict: isOver ? 'unknown' : 'blocks', detail: `${reason} (${new Date(atMs).toISOString()})` };
  }
  const live = state.live.get(deviceId);
  const since = (ms: number): string => new Date(ms).toISOString();
  if (live !== undefined) {
    yield {
      rule: 'connected',
      verdict: 'ok',
      detail: `since ${since(live.connectedAtMs)} from ${device.address ?? '?'}`,
    };
  } else if (device.sinceMs === undefined) yield { rule: 'connected', verdict: 'blocks', detail: 'never seen' };
  else yield { rule: 'connected', verdict: 'blocks', detail: `away; last seen ${since(device.sinceMs)}` };
}

/** What of the device's own log is not here; it holds no update up, but it may be why something was never told. */
function* logRules(state: CoreState, deviceId: string, nowMs: number): Generator<WhyRule> {
  const freshness = viewFreshness(state, deviceId, nowMs);
  if (freshness === undefined) return;
  const lag = freshness.lanes.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
  const parts = [`data as of ${new Date(freshness.asOfMs).toISOString()}`, `${lag} events wait on the device`];
  const { missingRows = 0, explainedRows = 0, gapReason } = viewLog(state, deviceId) ?? {};
  if (missingRows > 0) parts.push(`${missingRows} rows never came`);
  if (explainedRows > 0) parts.push(`${explainedRows} were given up there (${gapReason})`);
  yield { rule: 'log', verdict: missingRows > 0 || explainedRows > 0 ? 'unknown' : 'ok', detail: parts.join('; ') };
}

function* rolloutRules(state: CoreState, rollout: RolloutState, deviceId: string, nowMs: number): Generator<WhyRule> {
  const { document } = rollout;
  const target = deviceOf(rollout, deviceId);
  if (target === undefined) {
    const detail = `not among the ${rollout.devices.length} targets that '${document.selector}' matched at the start`;
    return yield { rule: 'selector', verdict: 'blocks', detail };
  }
  yield { rule: 'selector', verdict: 'ok', detail: `a target of '${document.selector}', phase ${target.phase + 1}` };
  const facts = offerFacts(state);
  if (target.state === 'waiting' || target.state === 'queued') {
    for (const { rule, result, detail } of offerRules(rollout, target, facts, nowMs)) {
      if (rule === 'registered' || rule === 'connected') continue; // said above
      yield { rule, verdict: result === 'ok' ? 'ok' : 'blocks', detail: detail() };
    }
    yield* gateRule(rollout, target, nowMs);
    return;
  }
  yield stateRule(state, rollout, target, nowMs);
}

/** Why the phase before does not let the next begin. */
function* gateRule({ document, tallies }: RolloutState, target: TargetDevice, nowMs: number): Generator<WhyRule> {
  const { currentPhase, phases } = document;
  const phase = phases[currentPhase];
  const sum = tallies[currentPhase];
  if (target.phase <= currentPhase || phase === undefined || sum === undefined) return;
  const verdict = judgePhase(phase, sum, 0, currentPhase === phases.length - 1, nowMs);
  yield {
    rule: 'gate',
    verdict: verdict.kind === 'passed' ? 'ok' : 'blocks',
    detail: `phase ${currentPhase + 1}: ${verdict.detail}`,
  };
}

function stateRule(state: CoreState, rollout: RolloutState, target: TargetDevice, nowMs: number): WhyRule {
  const since = `${target.state} since ${new Date(target.sinceMs).toISOString()}`;
  if (isSuccess(target.state)) return { rule: 'state', verdict: 'ok', detail: since };
  const reason = target.reason === undefined ? '' : `: ${target.reason.message} (${target.reason.code})`;
  if (!isInFlight(target.state)) return { rule: 'state', verdict: 'blocks', detail: `${since}${reason}` };
  const presence = {
    connected: isServed(state, target.deviceId),
    sinceMs: offerFacts(state).device(target.deviceId)?.sinceMs ?? 0,
  };
  const deadline = deadlineOf(rollout.document, target, presence);
  const left =
    deadline === undefined ? '' : `; times out in ${Math.max(0, Math.round((deadline.atMs - nowMs) / 1000))} s`;
  const { wait } = target;
  const waits = wait === undefined ? '' : `, waits: ${wait.message} (${wait.code})`;
  return { rule: 'state', verdict: 'unknown', detail: `${since}, attempt ${target.attempts}${waits}${left}` };
}

function conclude(deviceId: string, rollout: RolloutState | undefined, rules: readonly WhyRule[]): string {
  const target = rollout === undefined ? undefined : deviceOf(rollout, deviceId);
  const release = rollout?.document.release;
  if (target !== undefined && isSuccess(target.state)) return `${deviceId} runs ${release}, proven`;
  if (target !== undefined && isInFlight(target.state))
    return `${deviceId} is being updated to ${release}: ${target.state}`;
  const blocking = rules.find(({ verdict }) => verdict === 'blocks');
  const what = release === undefined ? 'is reachable' : `gets ${release}`;
  if (blocking === undefined)
    return rollout === undefined ? `${deviceId} ${what}; no rollout has it` : `${deviceId} is next`;
  return `${deviceId} is held up by ${blocking.rule}: ${blocking.detail}`;
}
