import { Buffer } from 'node:buffer';
import type { EventTypeConfig } from '../../config/agent-config.ts';
import { defaultEventType } from '../../config/agent-default.ts';
import { DoorError, type NewEvent } from '../../door/index.ts';
import { Lane, type Row } from '../../protocol/lane.ts';
import { maxPayloadBytes } from '../../protocol/limit.ts';
import { rowFault } from '../../protocol/row-fault.ts';
import { checkBytes, encodeValue } from './avro-value.ts';
import { refuseDeep } from './value-depth.ts';
import { isProductType, type ProductSchemas } from './product-schema.ts';

export interface EventRowOption {
  types: Readonly<Record<string, EventTypeConfig>>;
  schemas: ProductSchemas;
  nowMs: number;
}

export interface LaneRow {
  lane: Lane;
  row: Row;
}

/** The row of the log that an event of the product becomes. @throws DoorError saying what is wrong with it */
export function eventRow(event: NewEvent, { types, schemas, nowMs }: EventRowOption): LaneRow {
  const { type, key = '', timestampMs = Math.floor(nowMs) } = event;
  if (!isProductType(type)) {
    throw new DoorError('usage', 'type-reserved', 'a program may not write events of this type', {
      seen: type.slice(0, 128),
      expected: 'a type of the product: anything but flotilla.* and coordinator.*',
    });
  }
  const row = { type, key, timestampMs, ...payloadOf(event, schemas) };
  const fault = rowFault(row);
  if (fault !== undefined) {
    throw new DoorError('usage', 'event-unfit', `this event can't travel: ${fault}`, { seen: type.slice(0, 128) });
  }
  const { lane } = Object.hasOwn(types, type) ? types[type]! : defaultEventType;
  return { lane: Lane[lane], row };
}

function payloadOf(event: NewEvent, { byType, faults }: ProductSchemas): Pick<Row, 'schema' | 'payload'> {
  const broken = faults.find(({ type }) => type === event.type);
  if (broken !== undefined) {
    throw new DoorError('failed', 'schema-broken', `events of ${event.type} are refused: their schema can't be used`, {
      seen: `${broken.file}: ${broken.reason}`,
      suggestion: 'mend the file and restart the agent',
    });
  }
  const schema = byType.get(event.type);
  if (event.base64 !== undefined && event.schema !== undefined) return encodedPayload(event, schema);
  const bytes = jsonBytes(event);
  const value: unknown = 'value' in event ? event.value : parseBytes(bytes);
  refuseDeep(value);
  if (schema !== undefined) return { schema: schema.fingerprint, payload: encodeValue(schema, value) };
  return { schema: 0n, payload: bytes ?? Buffer.from(JSON.stringify(value)) };
}

/** Bytes that the program has encoded itself; without a schema here it is the coordinator that has to know theirs. */
function encodedPayload(
  { type, base64 = '', schema: named = '', ...rest }: NewEvent,
  schema: ReturnType<ProductSchemas['byType']['get']>,
): Pick<Row, 'schema' | 'payload'> {
  if ('value' in rest) throw twoPayloads();
  const fingerprint = BigInt(`0x${named}`);
  const payload = decodeBase64(base64);
  if (schema !== undefined) {
    if (schema.fingerprint !== fingerprint) {
      throw new DoorError('usage', 'schema-misfit', `${type} has another schema on this device`, {
        seen: named,
        expected: schema.fingerprint.toString(16).padStart(16, '0'),
      });
    }
    checkBytes(schema, payload);
  }
  return { schema: fingerprint, payload };
}

/** The bytes of a JSON text that came as base64; undefined when the event has a `value`. */
function jsonBytes(event: NewEvent): Buffer | undefined {
  if ('value' in event) {
    if (event.base64 !== undefined) throw twoPayloads();
    if (event.schema !== undefined) {
      throw new DoorError('usage', 'event-unfit', 'a schema is named together with a value', {
        expected: 'base64 with schema; a value is encoded by the schema of its type',
      });
    }
    return undefined;
  }
  if (event.base64 === undefined) {
    throw new DoorError('usage', 'event-unfit', 'this event has no value', { expected: 'value, or base64' });
  }
  return decodeBase64(event.base64);
}

function parseBytes(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DoorError('usage', 'event-unfit', 'base64 without a schema has to be JSON in UTF-8', { cause });
  }
}

function decodeBase64(text: string): Buffer {
  if (text.length > Math.ceil(maxPayloadBytes / 3) * 4) {
    throw new DoorError('usage', 'event-unfit', `this event can't travel: more than ${maxPayloadBytes} bytes`);
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw new DoorError('usage', 'event-unfit', 'base64 is malformed', { expected: 'A-Z a-z 0-9 + / with its padding' });
}

function twoPayloads(): DoorError {
  return new DoorError('usage', 'event-unfit', 'this event has both value and base64', { expected: 'one of them' });
}
