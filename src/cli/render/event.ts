import type { StoredEvent } from '../../client/contract/index.ts';
import { formatTime } from '../human.ts';
import { paint } from '../paint.ts';
import { printable, truncate } from '../printable.ts';
import type { TableOption } from '../table.ts';

/** One line an event: offset, time of receipt, device, type, key, payload. */
export function formatEvent(event: StoredEvent, option: TableOption = {}): string {
  const color = option.color ?? false;
  const head = `${event.offset}  ${formatTime(event.receivedAtMs)}  ${event.deviceId || 'coordinator'}  `;
  const name = event.key === '' ? event.type : `${event.type} ${event.key}`;
  const { redacted } = event;
  const payload =
    redacted === undefined
      ? printable(JSON.stringify(event.payload) ?? '')
      : `[redacted by ${printable(redacted.by)}: ${printable(redacted.reason)}]`;
  const room = option.width === undefined ? Infinity : Math.max(10, option.width - head.length - name.length - 2);
  return `${head}${paint('cyan', printable(name), color)}  ${truncate(payload, room)}\n`;
}
