/** Bundles that devices have reverted, and that somebody lets them take again. */
import type { BundleAllowedEvent } from '../../protocol/event.ts';
import { auditRule } from '../audit/write-audit.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** The device's word that it takes the bundle again: news when it was said there, a receipt when it was said here. */
export function noteBundleAllowed(turn: Turn, deviceId: string, { bundleUuid, by }: BundleAllowedEvent): void {
  if (by === 'coordinator' || !changeDevice(turn, deviceId, { kind: 'allow-bundle', bundleUuid })) return;
  const payload = { bundleUuid, by: 'device' };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.bundle-allowed', key: bundleUuid, payload });
  auditRule(turn, 'device', { action: 'bundle.allow', subject: bundleUuid, detail: {}, devices: [deviceId] });
}
