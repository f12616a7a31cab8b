import type { CertificateRow, DeviceRow } from '../../store/row.ts';
import { reduceDevice, type DeviceInput } from '../registry/reduce-device.ts';
import { stepJob } from './job-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

export function putDevice(turn: Turn, device: DeviceRow): void {
  turn.set(turn.state.devices, device.id, device);
  turn.write({ kind: 'device', device });
  turn.notify({ kind: 'device', id: device.id });
}

/** True when something changed. */
export function changeDevice(turn: Turn, deviceId: string, input: DeviceInput): boolean {
  const before = turn.state.devices.get(deviceId);
  if (before === undefined) return false;
  const after = reduceDevice(before, input, turn.nowMs);
  if (after === before) return false;
  putDevice(turn, after);
  return true;
}

export function putCertificate(turn: Turn, certificate: CertificateRow): void {
  const { certificates, serials } = turn.state;
  const known = serials.get(certificate.deviceId) ?? [];
  if (!known.includes(certificate.serial)) {
    turn.set(serials, certificate.deviceId, [...known, certificate.serial]);
  }
  turn.set(certificates, certificate.serial, certificate);
  turn.write({ kind: 'certificate', certificate });
  if (turn.state.devices.has(certificate.deviceId)) turn.notify({ kind: 'device', id: certificate.deviceId });
}

/** Accepts a device, and puts a certificate on record that it showed while it waited. */
export function acceptDevice(turn: Turn, deviceId: string): boolean {
  const candidate = turn.state.devices.get(deviceId)?.candidate;
  if (candidate !== undefined) putCertificate(turn, { ...candidate, deviceId, issuedAtMs: turn.nowMs, pem: '' });
  return changeDevice(turn, deviceId, { kind: 'accept' });
}

/** Ends the device's connection after the commit. True when there was one. */
export function cutConnection(turn: Turn, deviceId: string, reason: string): boolean {
  const live = turn.state.live.get(deviceId);
  if (live === undefined) return false;
  turn.afterCommit((gateway) => gateway.close(live.connection, reason));
  return true;
}

/** Out of the registry, with its requests and histories. Its certificates stay on record, so that they stay revocable. */
export function removeDevice(turn: Turn, deviceId: string): void {
  const { state } = turn;
  cutConnection(turn, deviceId, 'removed');
  for (const id of state.jobs.keys()) stepJob(turn, id, { kind: 'removed', deviceId });
  for (const id of state.rollouts.keys()) stepRollout(turn, id, { kind: 'removed', deviceId });
  turn.delete(state.live, deviceId);
  turn.delete(state.devices, deviceId);
  turn.delete(state.cursors, deviceId);
  turn.delete(state.outboxes, deviceId);
  turn.delete(state.requestSeqs, deviceId);
  turn.write({ kind: 'device-removed', deviceId });
  turn.notify({ kind: 'device-removed', id: deviceId });
}
