import type { Replacement, ReplaceRequest } from '../../client/contract/device.ts';
import { FlotillaError } from '../../error.ts';
import { isDeepStrictEqual } from 'node:util';
import type { DeviceRow } from '../../store/index.ts';
import { stepConfig } from '../core/config-operation.ts';
import type { CoreState } from '../core/core-state.ts';
import { acceptDevice, changeDevice } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { stepJob } from '../core/job-operation.ts';
import { endProductRequests } from '../core/product-request-operation.ts';
import { dropRequests } from '../core/request-operation.ts';
import { stepRollout } from '../core/rollout-operation.ts';
import type { Turn } from '../core/turn.ts';
import { revokeWithin } from './certificate-service.ts';
import { audit, type ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';

/**
 * New hardware takes over the place of a device: its tags and settings, and the link to its history. What was asked of
 * the old hardware and has not happened ends, since it may mean that hardware alone. All of it in one transaction.
 */
export function replaceDevice(
  context: ServiceContext,
  oldId: string,
  { by: newId, dryRun, overwrite }: ReplaceRequest,
): Promise<Replacement> {
  return context.core.submit((turn) => {
    const plan = planReplacement(turn.state, oldId, newId);
    if (dryRun === true) return plan;
    if (plan.conflicts.length > 0 && overwrite !== true) throw conflicting(plan);
    takeOver(turn, context, plan);
    leavePlace(turn, context, plan);
    audit(turn, context, 'device.replace', oldId, { by: newId, tags: plan.tags, configs: plan.configs }, [
      oldId,
      newId,
    ]);
    return plan;
  });
}

function planReplacement(state: CoreState, oldId: string, newId: string): Replacement {
  const before = state.devices.get(oldId);
  const after = state.devices.get(newId);
  if (before === undefined) throw unknownDevice(oldId);
  if (after === undefined) throw unknownDevice(newId);
  requireFit(before, after);
  const tagConflicts = Object.keys(before.tags).filter((name) => {
    return after.tags[name] !== undefined && after.tags[name] !== before.tags[name];
  });
  const desired = [...(state.configs.get(oldId) ?? [])].flatMap(([name, config]) =>
    config.desired === undefined ? [] : [{ name, document: config.desired.document }],
  );
  const configConflicts = desired.filter(({ name, document }) => {
    const own = state.configs.get(newId)?.get(name)?.desired;
    return own !== undefined && !isDeepStrictEqual(own.document, document);
  });
  return {
    old: oldId,
    new: newId,
    tags: { ...after.tags, ...before.tags },
    configs: desired.map(({ name }) => name),
    conflicts: [...tagConflicts.map((name) => `tag ${name}`), ...configConflicts.map(({ name }) => `settings ${name}`)],
    accepts: after.state === 'pending',
    revokes: (state.serials.get(oldId) ?? []).filter(
      (serial) => state.certificates.get(serial)?.revokedAtMs === undefined,
    ),
    ends: (state.outboxes.get(oldId) ?? []).map(({ type, key }) => `${type} ${key}`),
  };
}

/** @throws FlotillaError when this can't be meant */
function requireFit(before: DeviceRow, after: DeviceRow): void {
  const refuse = (code: string, message: string, seen: string): never => {
    throw new FlotillaError('refused', code, message, { seen, suggestion: `flotilla device show ${after.id}` });
  };
  if (before.id === after.id) {
    throw new FlotillaError('usage', 'device-replace-same', 'a device can not take its own place', { seen: before.id });
  }
  if (before.replacedBy !== undefined) {
    refuse('device-replaced', `${before.id} was replaced before`, `by ${before.replacedBy}`);
  }
  if (after.replaces !== undefined) {
    refuse('device-replaces', `${after.id} has a place already`, `that of ${after.replaces}`);
  }
  if (after.state !== 'accepted' && after.state !== 'pending') {
    refuse('device-replace-state', `${after.id} is kept out of the fleet`, after.state);
  }
}

function conflicting({ old, new: newId, conflicts }: Replacement): FlotillaError {
  return new FlotillaError('refused', 'device-replace-conflict', `${newId} has what ${old} has otherwise`, {
    seen: conflicts.join(', '),
    expected: `a device without tags and settings of its own, or --yes: those of ${old} hold then`,
    suggestion: `flotilla device replace ${old} ${newId} --dry-run`,
  });
}

function takeOver(turn: Turn, context: ServiceContext, { old, new: newId, tags, configs }: Replacement): void {
  const { state } = turn;
  changeDevice(turn, newId, { kind: 'replaces', old, tags });
  acceptDevice(turn, newId);
  for (const name of configs) {
    const wanted = state.configs.get(old)!.get(name)!.desired!.document;
    const own = state.configs.get(newId)?.get(name)?.desired?.document;
    if (isDeepStrictEqual(own, wanted)) continue;
    stepConfig(turn, newId, name, { kind: 'set', document: wanted, by: context.actor });
  }
  const payload = { old, tags, configs, by: context.actor };
  appendOwnEvent(turn, { deviceId: newId, type: 'coordinator.replaces', key: old, payload });
}

function leavePlace(turn: Turn, context: ServiceContext, { old, new: newId }: Replacement): void {
  const { state } = turn;
  const reason = `replaced by ${newId}`;
  for (const id of state.jobs.keys()) stepJob(turn, id, { kind: 'removed', deviceId: old });
  for (const id of state.rollouts.keys()) stepRollout(turn, id, { kind: 'removed', deviceId: old });
  const outbox = state.outboxes.get(old) ?? [];
  for (const row of outbox) {
    endProductRequests(turn, old, [row], { outcome: row.seq === undefined ? 'expired' : 'unknown', reason });
  }
  dropRequests(turn, old, outbox, []);
  changeDevice(turn, old, { kind: 'replaced', by: newId });
  revokeWithin(turn, context, { subject: old, reason });
  appendOwnEvent(turn, { deviceId: old, type: 'coordinator.replaced', key: newId, payload: { by: newId } });
}
