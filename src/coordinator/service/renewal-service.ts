import type { Changed } from '../../client/contract/device.ts';
import type { Renewal, RenewRequest } from '../../client/contract/renewal.ts';
import { FlotillaError } from '../../error.ts';
import type { RenewalRow } from '../../store/index.ts';
import { isServed, type CoreState } from '../core/core-state.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { stepRenewals, wantRenewal } from '../core/renewal-operation.ts';
import { isAnnounced } from '../request/outbox.ts';
import { audit, type ServiceContext } from './context.ts';
import { matchAccepted } from './target.ts';

/** Wants a new certificate for each; those that are away are asked when they come. */
export function renewCertificates(context: ServiceContext, { selector }: RenewRequest): Promise<Changed> {
  return context.core.submit((turn) => {
    const changed: string[] = [];
    const unchanged: string[] = [];
    const matched = matchAccepted(turn, selector);
    if (matched.length === 0) {
      throw new FlotillaError('none-matched', 'device-none-matched', 'the selector matches no accepted device', {
        seen: selector,
        suggestion: 'flotilla device list',
      });
    }
    for (const id of matched) (wantRenewal(turn, id, 'operator') ? changed : unchanged).push(id);
    for (const deviceId of changed) {
      const payload = { by: context.actor };
      appendOwnEvent(turn, { deviceId, type: 'coordinator.renewal-wanted', key: '', payload });
    }
    stepRenewals(turn, context.renewal);
    audit(turn, context, 'certificate.renew', selector, { changed: changed.length }, changed);
    return { changed, unchanged };
  });
}

/** What is under way, in order of device. */
export function listRenewals({ core }: ServiceContext): Promise<Renewal[]> {
  return core.submit(({ state }) =>
    [...state.renewals.values()]
      .toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1))
      .map((renewal) => viewRenewal(state, renewal)),
  );
}

export function viewRenewal(state: CoreState, renewal: RenewalRow): Renewal {
  const { deviceId, state: renewalState, cause, sinceMs, asks, renews, serial } = renewal;
  const reason = renewal.reason ?? waitsFor(state, renewal);
  return {
    deviceId,
    state: renewalState,
    cause,
    sinceMs,
    asks,
    connected: state.live.has(deviceId),
    ...(renews === undefined ? {} : { renews }),
    ...(serial === undefined ? {} : { serial }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function waitsFor(state: CoreState, { deviceId, state: renewalState }: RenewalRow): string | undefined {
  const device = state.devices.get(deviceId);
  if (!isServed(state, deviceId)) return 'the device is away';
  if (renewalState !== 'wanted' || device === undefined) return undefined;
  return isAnnounced({ type: 'certificate.renew', payload: '{}' }, device)
    ? 'others come first'
    : 'its agent does not renew: update it, or sign a request by hand';
}
