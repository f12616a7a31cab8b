import type { Alert, CoordinatorStatus } from '../../client/contract/status.ts';
import type { DeviceRow } from '../../store/index.ts';
import type { CoreState } from '../core/core-state.ts';
import { isSkewed } from '../identity/judge-clock.ts';

const maxListed = 20;

/** Devices that somebody should look at: what an operator has done himself is no news to him. */
export function viewAlerts(state: CoreState): Pick<CoordinatorStatus, 'alerts' | 'alertCount'> {
  const alerts = [...state.devices.values()].flatMap((device) => alertOf(device) ?? []);
  return { alerts: alerts.toSorted((a, b) => b.atMs - a.atMs).slice(0, maxListed), alertCount: alerts.length };
}

function alertOf({ id: deviceId, state, hold, clock }: DeviceRow): Alert | undefined {
  if (state === 'quarantined' && hold !== undefined && hold.by !== 'operator') {
    const { by, reason, atMs, addresses } = hold;
    const from = addresses === undefined ? '' : ` (from ${addresses.join(' and ')})`;
    return { deviceId, kind: by === 'clone' ? 'clone' : 'quarantined', detail: `${reason}${from}`, atMs };
  }
  if (state !== 'accepted' || clock === undefined) return undefined;
  if (clock.refused !== undefined) return { deviceId, kind: 'clock', detail: clock.refused, atMs: clock.atMs };
  if (!isSkewed(clock.skewMs)) return undefined;
  const seconds = Math.round(clock.skewMs / 1000);
  const detail = `its clock is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead'}; it goes by signed time`;
  return { deviceId, kind: 'clock', detail, atMs: clock.atMs };
}
