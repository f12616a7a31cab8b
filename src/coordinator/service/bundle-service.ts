import type { AllowBundle, BundleAllowed } from '../../client/contract/device.ts';
import { FlotillaError } from '../../error.ts';
import type { CoreState } from '../core/core-state.ts';
import { changeDevice } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { enqueueRequest, withdrawRequest } from '../core/request-operation.ts';
import { isAnnounced } from '../request/outbox.ts';
import { audit, type ServiceContext } from './context.ts';
import { findRelease } from './find-release.ts';
import { requireKnown } from './target.ts';

/** For a device that is away: one that comes later keeps refusing, and says how to ask again. */
const orderTtlMs = 90 * 86_400_000;

/**
 * Strikes a bundle off both lists: the coordinator's, and by an order the device's own. The order goes to every device
 * that matches, because a coordinator that was restored does not know what the device knows.
 */
export function allowBundle(context: ServiceContext, { selector, bundle }: AllowBundle): Promise<BundleAllowed> {
  return context.core.submit((turn) => {
    const { state, nowMs } = turn;
    const bundleUuid = uuidOf(state, bundle);
    const devices = requireKnown(turn, selector).map((deviceId) => {
      const wasQuarantined = changeDevice(turn, deviceId, { kind: 'allow-bundle', bundleUuid });
      const request = { type: 'bundle.allow' as const, key: bundleUuid, payload: { bundleUuid } };
      withdrawRequest(turn, deviceId, request.type, bundleUuid); // one that waits already
      enqueueRequest(turn, deviceId, { ...request, expiresAtMs: nowMs + orderTtlMs });
      const payload = { bundleUuid, by: context.actor };
      appendOwnEvent(turn, { deviceId, type: 'coordinator.bundle-allowed', key: bundleUuid, payload });
      const isTaken = isAnnounced({ type: 'bundle.allow', payload: '' }, state.devices.get(deviceId)!);
      const isThere = state.live.get(deviceId)?.standing === 'accepted';
      const sent: BundleAllowed['devices'][number]['state'] = !isTaken ? 'held' : isThere ? 'sent' : 'waiting';
      return { deviceId, wasQuarantined, state: sent };
    });
    const ids = devices.map(({ deviceId }) => deviceId);
    audit(turn, context, 'bundle.allow', bundleUuid, { selector }, ids);
    return { bundleUuid, devices };
  });
}

function uuidOf(state: CoreState, bundle: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(bundle)) return bundle.toLowerCase();
  if (bundle.includes('/')) return findRelease(state, bundle).release.bundleUuid;
  throw new FlotillaError('usage', 'bundle-name', 'this names no bundle', {
    seen: bundle.slice(0, 80),
    expected: 'the UUID of a bundle, or the id of a release: product/version/channel',
    suggestion: 'flotilla release list',
  });
}
