import type { ProductRequestBody, SentRequest } from '../../client/contract/product-request.ts';
import { FlotillaError } from '../../error.ts';
import type { ProductRequest } from '../../protocol/request.ts';
import { enqueueRequest } from '../core/request-operation.ts';
import { audit, type ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';

/** UTF-8 bytes of a request's payload, as JSON. */
const maxPayloadBytes = 262_144;

/** Stores a request for a program on the device. */
export function sendProductRequest(
  context: ServiceContext,
  deviceId: string,
  { type, key, value, expiresSeconds = context.jobs.defaultExpiresSeconds }: ProductRequestBody,
): Promise<SentRequest> {
  return context.core.submit((turn) => {
    const device = turn.state.devices.get(deviceId);
    if (device === undefined) throw unknownDevice(deviceId);
    if (device.state !== 'accepted') {
      throw new FlotillaError('refused', 'device-not-accepted', 'only an accepted device is asked anything', {
        seen: `${deviceId} is ${device.state}`,
        suggestion: `flotilla device accept ${deviceId}`,
      });
    }
    const requestId = context.newId('q');
    const expiresAtMs = turn.nowMs + Math.round(expiresSeconds * 1_000);
    const payload: ProductRequest = { requestId, type, key, value, expiresAtMs };
    const bytes = Buffer.byteLength(JSON.stringify(payload));
    if (bytes > maxPayloadBytes) {
      throw new FlotillaError('usage', 'request-too-large', 'the value of this request is too large', {
        seen: `${bytes} bytes`,
        expected: `at most ${maxPayloadBytes}`,
      });
    }
    const afterOffset = turn.state.counters.get('offset') ?? 0;
    enqueueRequest(turn, deviceId, { type: 'product.request', key: requestId, payload, expiresAtMs });
    audit(turn, context, 'device.send', deviceId, { requestId, type, key, expiresAtMs });
    return { requestId, deviceId, type, key, expiresAtMs, afterOffset };
  });
}
