import { nameRollout } from '../../client/contract/rollout-action.ts';
import type { Why, WhyRule } from '../../client/contract/why.ts';
import type { CoreState } from '../core/core-state.ts';
import { createRolloutState, deviceOf, type RolloutDocument, type RolloutState } from '../rollout/rollout-state.ts';
import { isInFlight, isSuccess, type TargetDevice } from '../rollout/target-device.ts';
import type { ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';
import { unknownRollout } from './rollout-service.ts';
import { identityRules, logRules } from './why-identity.ts';
import { rolloutRules } from './why-rollout.ts';
import { outsideRules } from './why-selector.ts';

/** Every rule between a device and its update, in the order in which the coordinator asks them. */
export async function why(context: ServiceContext, deviceId: string, rolloutId: string | undefined): Promise<Why> {
  const { core, renewal } = context;
  const ended = rolloutId === undefined ? undefined : await endedRollout(context, rolloutId);
  return core.submit((turn) => {
    const { state, nowMs } = turn;
    const rollout = chooseRollout(state, deviceId, rolloutId) ?? ended;
    if (rolloutId !== undefined && rollout === undefined) throw unknownRollout(rolloutId);
    // One that was removed while a rollout had it is still explained.
    if (rollout?.index.has(deviceId) !== true && !state.devices.has(deviceId)) throw unknownDevice(deviceId);
    const rules: WhyRule[] = [
      ...identityRules(state, deviceId, renewal.overlapMs, nowMs),
      ...logRules(state, deviceId, nowMs),
    ];
    const target = rollout === undefined ? undefined : deviceOf(rollout, deviceId);
    if (rollout !== undefined && target !== undefined) rules.push(...rolloutRules(state, rollout, target, nowMs));
    else rules.push(...outsideRules(turn, deviceId, rollout));
    return {
      deviceId,
      ...(rollout === undefined ? {} : { rolloutId: rollout.document.id, release: nameRollout(rollout.document) }),
      conclusion: conclude(deviceId, rollout, target, rules),
      rules,
    };
  });
}

/** The one asked for, else the newest that has this device as a target. */
function chooseRollout(state: CoreState, deviceId: string, rolloutId: string | undefined): RolloutState | undefined {
  if (rolloutId !== undefined) return state.rollouts.get(rolloutId);
  return [...state.rollouts.values()]
    .filter(({ index }) => index.has(deviceId))
    .toSorted((a, b) => b.document.startedAtMs - a.document.startedAtMs)[0];
}

/** One that is not in memory any more. */
async function endedRollout({ core }: ServiceContext, id: string): Promise<RolloutState | undefined> {
  if (core.state.rollouts.has(id)) return undefined;
  const row = await core.store.document('rollout', id);
  if (row === undefined) return undefined;
  const members = await core.store.members('rollout', id, false);
  const devices = members.map(({ document }) => document as TargetDevice);
  return createRolloutState(row.document as RolloutDocument, devices);
}

function conclude(
  deviceId: string,
  rollout: RolloutState | undefined,
  target: TargetDevice | undefined,
  rules: readonly WhyRule[],
): string {
  const blocking = rules.find(({ verdict }) => verdict === 'blocks');
  const heldUp = blocking === undefined ? undefined : `${deviceId} is held up by ${blocking.rule}: ${blocking.detail}`;
  if (rollout === undefined) return heldUp ?? `${deviceId} is reachable; no rollout has it`;
  const { id, action } = rollout.document;
  const name = nameRollout(rollout.document);
  if (target === undefined) return heldUp ?? `${deviceId} is not a target of ${id}`;
  if (isSuccess(target.state)) return `${deviceId} ${action === undefined ? 'runs' : 'has done:'} ${name}, proven`;
  if (isInFlight(target.state)) {
    const waits = target.wait === undefined ? '' : `, and waits: ${target.wait.message}`;
    const does = action === undefined ? `is being updated to ${name}` : `is at it: ${name}`;
    return `${deviceId} ${does}: ${target.state}${waits}`;
  }
  if (target.state === 'waiting' || target.state === 'queued') return heldUp ?? `${deviceId} is next`;
  const cause = target.reason === undefined ? '' : `: ${target.reason.message} (${target.reason.code})`;
  const missed = action === undefined ? `did not get ${name}` : `has not done it: ${name}`;
  return `${deviceId} ${missed}, it is ${target.state}${cause}`;
}
