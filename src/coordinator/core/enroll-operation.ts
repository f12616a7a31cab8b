/** What enrollment changes of the state: tokens, expected devices, and what a device is bound to. */
import type { BoundGrainRow, EnrollmentTokenRow, PreregistrationRow } from '../../store/row.ts';
import { findBoundConflict } from '../enrollment/bound-grain.ts';
import { quarantineDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** Beyond so many the oldest that are over are forgotten. */
const maxTokens = 1_000;

export function putToken(turn: Turn, token: EnrollmentTokenRow): void {
  turn.set(turn.state.enrollmentTokens, token.id, token);
  turn.write({ kind: 'enrollment-token', token });
  const { enrollmentTokens } = turn.state;
  if (enrollmentTokens.size <= maxTokens) return;
  const over = [...enrollmentTokens.values()]
    .filter((other) => isOver(other, turn.nowMs))
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  for (const { id } of over.slice(0, enrollmentTokens.size - maxTokens)) {
    turn.delete(enrollmentTokens, id);
    turn.write({ kind: 'enrollment-token-removed', id });
  }
}

/** It lets nobody in any more. */
export function isOver(token: EnrollmentTokenRow, nowMs: number): boolean {
  return token.revokedAtMs !== undefined || token.expiresAtMs <= nowMs || token.uses >= token.maxUses;
}

export function putPreregistration(turn: Turn, row: PreregistrationRow): void {
  const { preregistrations, keyOwners } = turn.state;
  const before = preregistrations.get(row.deviceId)?.keySha256;
  if (before !== undefined && before !== row.keySha256) turn.delete(keyOwners, before);
  if (row.keySha256 !== undefined) turn.set(keyOwners, row.keySha256, row.deviceId);
  turn.set(preregistrations, row.deviceId, row);
  turn.write({ kind: 'preregistration', preregistration: row });
}

export function removePreregistration(turn: Turn, deviceId: string): boolean {
  const { preregistrations, keyOwners } = turn.state;
  const row = preregistrations.get(deviceId);
  if (row === undefined) return false;
  if (row.keySha256 !== undefined) turn.delete(keyOwners, row.keySha256);
  turn.delete(preregistrations, deviceId);
  turn.write({ kind: 'preregistration-removed', deviceId });
  return true;
}

/** From now on the device may report these grains with these values only. None: with any. */
export function bindGrains(turn: Turn, deviceId: string, grains: BoundGrainRow['grains']): void {
  const { boundGrains } = turn.state;
  if (Object.keys(grains).length === 0) {
    if (!boundGrains.has(deviceId)) return;
    turn.delete(boundGrains, deviceId);
  } else {
    turn.set(boundGrains, deviceId, grains);
  }
  turn.write({ kind: 'bound-grain', bound: { deviceId, grains } });
}

/** A device that reports what it must not is kept out until an operator has looked: selectors trust these grains. */
export function checkBoundGrains(turn: Turn, deviceId: string): void {
  const grains = turn.state.devices.get(deviceId)?.grains ?? {};
  const conflict = findBoundConflict(turn.state.boundGrains.get(deviceId), grains);
  if (conflict === undefined) return;
  const reason = `reports ${conflict.grain} ${conflict.seen}, is bound to ${conflict.expected}`;
  if (!quarantineDevice(turn, deviceId, { by: 'coordinator', reason })) return;
  const payload = { reason: 'bound-grain', ...conflict };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.quarantined', key: '', payload });
}

/** An operator lets a device in that contradicts what it was bound to: those grains are its own from now on. */
export function freeContradicted(turn: Turn, deviceId: string): void {
  const bound = turn.state.boundGrains.get(deviceId);
  if (bound === undefined) return;
  const grains = turn.state.devices.get(deviceId)?.grains ?? {};
  const kept = Object.entries(bound).filter(([grain, value]) => !findBoundConflict({ [grain]: value }, grains));
  if (kept.length < Object.keys(bound).length) bindGrains(turn, deviceId, Object.fromEntries(kept));
}
