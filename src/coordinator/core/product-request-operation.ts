import type { RequestReply } from '../../client/contract/product-request.ts';
import type { ProductRequest } from '../../protocol/request.ts';
import type { RequestRow } from '../../store/row.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** Requests of the product that left the outbox without the device's word: whoever waits for one is told. */
export function endProductRequests(
  turn: Turn,
  deviceId: string,
  rows: readonly RequestRow[],
  { outcome, reason }: { outcome: RequestReply['outcome']; reason: string },
): void {
  for (const row of rows) {
    if (row.type !== 'product.request') continue;
    const { type } = JSON.parse(row.payload) as ProductRequest;
    const payload = { requestId: row.key, type, outcome, reason };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.reply', key: row.key, payload });
  }
}
