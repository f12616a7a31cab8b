import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import {
  eventSchemas,
  type AcceptsEvent,
  type BootEvent,
  type BundleAllowedEvent,
  type ClockEvent,
  type CertificateEvent,
  type CertificateRequestEvent,
  type ConfigEvent,
  type DeadLetterEvent,
  type GapEvent,
  type GrainsChangeEvent,
  type GrainsEvent,
  type HistoryEvent,
  type JobEvent,
  type JobBeatEvent,
  type JobFileEvent,
  type JobOutputEvent,
  type LogEvent,
  type ReceiptEvent,
  type ReplyEvent,
  type SchemaEvent,
  type TimeEvent,
  type UpdateEvent,
} from '../../protocol/event.ts';
import type { Row } from '../../protocol/lane.ts';

/** What an event means to the core; `plain` is the product's, and only stored. */
export type Meaning =
  | { kind: 'plain' }
  | { kind: 'boot'; event: BootEvent }
  | { kind: 'grains'; event: GrainsEvent }
  | { kind: 'grains-change'; event: GrainsChangeEvent }
  | { kind: 'job'; event: JobEvent }
  | { kind: 'job-beat'; event: JobBeatEvent }
  | { kind: 'job-file'; event: JobFileEvent }
  | { kind: 'job-output'; event: JobOutputEvent }
  | { kind: 'update'; event: UpdateEvent }
  | { kind: 'log'; event: LogEvent }
  | { kind: 'gap'; event: GapEvent }
  | { kind: 'accepts'; event: AcceptsEvent }
  | { kind: 'schema'; event: SchemaEvent }
  | { kind: 'config'; event: ConfigEvent }
  | { kind: 'reply'; event: ReplyEvent }
  | { kind: 'deadletter'; event: DeadLetterEvent }
  | { kind: 'history'; event: HistoryEvent }
  | { kind: 'time'; event: TimeEvent }
  | { kind: 'clock'; event: ClockEvent }
  | { kind: 'certificate-request'; event: CertificateRequestEvent }
  | { kind: 'certificate'; event: CertificateEvent }
  | { kind: 'receipt'; event: ReceiptEvent }
  | { kind: 'bundle-allowed'; event: BundleAllowedEvent }
  /** It does not fit; the reason is for a person. */
  | {
      kind: 'dead';
      class: 'reject' | 'too-large' | 'forbidden';
      reason: string;
      /** Of the dead letter, where it is not a payload that can't be read. */
      layer?: 'handler';
      code?: string;
      attempts?: number;
    };

export type EventReader = (row: Row) => Meaning;

const maxNameBytes = 256;
/** Of what is kept in memory for each device; the output of jobs is bounded by the jobs. */
export const maxFactBytes = 262_144;

/** Which field of the payload the key must repeat. */
const keyFields: Partial<Record<string, string>> = {
  'flotilla.job': 'jobId',
  'flotilla.job-file': 'jobId',
  'flotilla.job-output': 'jobId',
  'flotilla.update': 'rolloutId',
  'flotilla.schema': 'fingerprint',
  'flotilla.config': 'name',
  'flotilla.reply': 'requestId',
  'flotilla.history': 'outcome',
  'flotilla.certificate-request': 'renewalId',
  'flotilla.certificate': 'renewalId',
  'flotilla.receipt': 'id',
  'flotilla.bundle-allowed': 'bundleUuid',
};

/** Reads events with the schemas compiled once. Never throws. */
export function createEventReader(): EventReader {
  const validators = new Map(
    Object.entries(eventSchemas as Record<string, TSchema>).map(([type, schema]) => [type, Compile(schema)]),
  );
  return (row) => {
    if (isTooLong(row.type) || isTooLong(row.key)) {
      return dead(`type or key is longer than ${maxNameBytes} bytes`, 'too-large');
    }
    if (row.type === '') return dead('the type is empty');
    if (row.type.startsWith('coordinator.')) {
      return dead('coordinator.* is written by the coordinator alone', 'forbidden');
    }
    const validator = validators.get(row.type);
    if (validator === undefined) return { kind: 'plain' };
    if (row.schema !== 0n) return dead('a built-in type with a schema of its own');
    if (row.type !== 'flotilla.job' && row.payload.length > maxFactBytes) {
      return dead(`${row.payload.length} bytes, at most ${maxFactBytes}`, 'too-large');
    }
    const event = parseJson(row.payload);
    if (event === undefined) return dead('the payload is not JSON in UTF-8');
    if (!validator.Check(event)) return dead(firstError(validator, event));
    const keyField = keyFields[row.type];
    if (keyField !== undefined && (event as Record<string, unknown>)[keyField] !== row.key)
      return dead(`${keyField} is not the key`);
    return { kind: row.type.slice('flotilla.'.length), event } as Meaning;
  };
}

function dead(reason: string, kind: 'reject' | 'too-large' | 'forbidden' = 'reject'): Meaning {
  return { kind: 'dead', class: kind, reason: reason.slice(0, 256) };
}

/** A unit of a string takes one byte of UTF-8 to three: most names need no count. */
function isTooLong(name: string): boolean {
  return name.length * 3 > maxNameBytes && Buffer.byteLength(name) > maxNameBytes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload));
  } catch {
    return undefined;
  }
}

function firstError(
  schema: { Errors(value: unknown): { instancePath: string; message: string }[] },
  value: unknown,
): string {
  const [error] = schema.Errors(value);
  return error === undefined ? 'does not fit its schema' : `${error.instancePath || '/'} ${error.message}`;
}
