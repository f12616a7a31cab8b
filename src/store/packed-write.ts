import type { MemberText } from './document-table.ts';
import type { EventRow, RequestRow } from './row.ts';
import { jsonOrNull } from './statement.ts';
import type { Write } from './write.ts';

/** As the store's thread takes them: documents of devices are text already. */
export type StoreWrite = Exclude<Write, { kind: MemberKind }> | { kind: MemberKind; member: MemberText };

type MemberKind = 'job-device' | 'rollout-device';
type Cell = string | number | null | Write;

/**
 * Writes on their way to the store's thread. To clone an object costs more than to store it, so what jobs and events
 * write by the thousand travels as one list of plain values: a code (see below), then what it says, in order. Any other
 * write stands in the list as it is.
 */
export interface PackedWrites {
  cells: Cell[];
  /** Of the events, one behind the other. */
  payloads: Uint8Array<ArrayBuffer>;
}

// 0 job-device, 1 rollout-device  parentId · position · deviceId · document · output
const memberKinds = ['job-device', 'rollout-device'] as const;
// 2 event  offset · deviceId · instanceId · lane · seq · type · key · timestampMs · receivedAtMs · schema · payload bytes
const eventCode = 2;
// 3 request  row · deviceId · lane · seq · type · key · payload · createdAtMs · expiresAtMs
const requestCode = 3;
// 4 request-removed  row · deviceId · lane · seq
const removedCode = 4;
// 5 cursor  deviceId · instanceId · lane · seq · atMs
const cursorCode = 5;
// 6 request-seq  deviceId · 4 × seq
const requestSeqCode = 6;

export function packWrites(writes: readonly Write[]): PackedWrites {
  let bytes = 0;
  for (const write of writes) if (write.kind === 'event') bytes += write.event.payload.length;
  const payloads = new Uint8Array(bytes);
  const cells: Cell[] = [];
  let at = 0;
  for (const write of writes) {
    switch (write.kind) {
      case 'job-device':
      case 'rollout-device': {
        const { parentId, position, deviceId, document, output } = write.member;
        cells.push(memberKinds.indexOf(write.kind), parentId, position, deviceId);
        cells.push(JSON.stringify(document), jsonOrNull(output));
        break;
      }
      case 'event': {
        const { payload } = write.event;
        packEvent(cells, write.event);
        payloads.set(payload, at);
        at += payload.length;
        break;
      }
      case 'request': {
        const { row, deviceId, lane, seq, type, key, payload, createdAtMs, expiresAtMs } = write.request;
        cells.push(requestCode, row, deviceId, lane, seq ?? null, type, key, payload, createdAtMs, expiresAtMs);
        break;
      }
      case 'request-removed': {
        const { row, deviceId, lane, seq } = write.request;
        cells.push(removedCode, row, deviceId, lane, seq ?? null);
        break;
      }
      case 'cursor': {
        const { deviceId, instanceId, lane, seq, atMs } = write.cursor;
        cells.push(cursorCode, deviceId, instanceId, lane, seq, atMs);
        break;
      }
      case 'request-seq':
        cells.push(requestSeqCode, write.deviceId, ...write.seq);
        break;
      default:
        cells.push(write);
    }
  }
  return { cells, payloads };
}

function packEvent(cells: Cell[], event: EventRow): void {
  const { offset, deviceId, instanceId, lane, seq, type, key, timestampMs, receivedAtMs, schema = null } = event;
  cells.push(eventCode, offset, deviceId, instanceId, lane, seq, type, key);
  cells.push(timestampMs, receivedAtMs, schema, event.payload.length);
}

/** In the order in which they were packed. */
export function unpackWrites({ cells, payloads }: PackedWrites): StoreWrite[] {
  const writes: StoreWrite[] = [];
  let next = 0;
  let at = 0;
  const text = (): string => cells[next++] as string;
  const number = (): number => cells[next++] as number;
  while (next < cells.length) {
    const first = cells[next++];
    switch (first) {
      case 0:
      case 1: {
        const member = {
          parentId: text(),
          position: number(),
          deviceId: text(),
          document: text(),
          output: cells[next++] as string | null,
        };
        writes.push({ kind: memberKinds[first], member });
        break;
      }
      case eventCode: {
        const event = {
          offset: number(),
          deviceId: text(),
          instanceId: text(),
          lane: number(),
          seq: number(),
          type: text(),
          key: text(),
          timestampMs: number(),
          receivedAtMs: number(),
          ...schemaOf(cells[next++]),
          payload: payloads.subarray(at, (at += number())),
        };
        writes.push({ kind: 'event', event });
        break;
      }
      case requestCode: {
        const request: RequestRow = {
          row: number(),
          deviceId: text(),
          lane: number(),
          ...seqOf(cells[next++]),
          type: text(),
          key: text(),
          payload: text(),
          createdAtMs: number(),
          expiresAtMs: number(),
        };
        writes.push({ kind: 'request', request });
        break;
      }
      case removedCode: {
        const request = { row: number(), deviceId: text(), lane: number(), ...seqOf(cells[next++]) };
        writes.push({ kind: 'request-removed', request });
        break;
      }
      case cursorCode: {
        const cursor = { deviceId: text(), instanceId: text(), lane: number(), seq: number(), atMs: number() };
        writes.push({ kind: 'cursor', cursor });
        break;
      }
      case requestSeqCode:
        writes.push({ kind: 'request-seq', deviceId: text(), seq: [number(), number(), number(), number()] });
        break;
      default:
        writes.push(first as Exclude<Write, { kind: MemberKind }>);
    }
  }
  return writes;
}

function schemaOf(cell: Cell | undefined): { schema?: string } {
  return cell === null ? {} : { schema: cell as string };
}

function seqOf(cell: Cell | undefined): { seq?: number } {
  return cell === null ? {} : { seq: cell as number };
}
