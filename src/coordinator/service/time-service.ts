import type { TimeResets, TimeResetSent } from '../../client/contract/device.ts';
import { FlotillaError } from '../../error.ts';
import { verifyTimeReset } from '../../pki/index.ts';
import { rootCertificates } from '../../transport/certificate-chain.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { enqueueRequest } from '../core/request-operation.ts';
import { isAnnounced } from '../request/outbox.ts';
import { audit, type ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';

/** All or none. A bad one would be refused by its device, too; here somebody reads why. */
export function resetTime(context: ServiceContext, { resets }: TimeResets): Promise<TimeResetSent[]> {
  const { core, clock, issuing, fleetId } = context;
  const roots = rootCertificates(issuing.bundlePem);
  for (const reset of resets) {
    const { deviceId, expiresAtMs } = reset;
    verifyTimeReset(reset, roots);
    if (reset.fleetId !== fleetId) {
      throw new FlotillaError('refused', 'time-reset-other', 'this reset is of another fleet', {
        seen: reset.fleetId,
        expected: fleetId,
      });
    }
    if (expiresAtMs <= clock.nowMs()) {
      throw new FlotillaError('refused', 'time-reset-expired', `the reset for ${deviceId} is too old`, {
        seen: `good until ${new Date(expiresAtMs).toISOString()}`,
        suggestion: 'flotilla ca sign-time-reset makes another one',
      });
    }
  }
  return core.submit((turn) => {
    const { devices, live } = turn.state;
    return resets.map((reset) => {
      const { deviceId, timeMs, expiresAtMs } = reset;
      const device = devices.get(deviceId);
      if (device === undefined) throw unknownDevice(deviceId);
      enqueueRequest(turn, deviceId, { type: 'time.reset', key: deviceId, payload: reset, expiresAtMs });
      const payload = { timeMs, by: context.actor };
      appendOwnEvent(turn, { deviceId, type: 'coordinator.device-reset-time', key: '', payload });
      audit(turn, context, 'device.reset-time', deviceId, { timeMs }, [deviceId]);
      const isTaken = isAnnounced({ type: 'time.reset', payload: '' }, device);
      const isThere = live.get(deviceId)?.standing === 'accepted';
      return { deviceId, state: !isTaken ? 'held' : isThere ? 'sent' : 'waiting' };
    });
  });
}
