import { Compile } from 'typebox/compile';
import {
  eventSchemas,
  type BootEvent,
  type GrainsEvent,
  type JobEvent,
  type UpdateEvent,
} from '../../protocol/event.ts';
import type { Row } from '../../protocol/lane.ts';

/** What an event means to the core; `plain` is the product's, and only stored. */
export type Meaning =
  | { kind: 'plain' }
  | { kind: 'boot'; event: BootEvent }
  | { kind: 'grains'; event: GrainsEvent }
  | { kind: 'job'; event: JobEvent }
  | { kind: 'update'; event: UpdateEvent }
  /** It does not fit; the reason is for a person. */
  | { kind: 'dead'; class: 'reject' | 'too-large' | 'forbidden'; reason: string };

export type EventReader = (row: Row) => Meaning;

const maxNameBytes = 256;
/** Of what is kept in memory for each device; the output of jobs is bounded by the jobs. */
const maxFactBytes = 262_144;

/** Reads events with the schemas compiled once. Never throws. */
export function createEventReader(): EventReader {
  const boot = Compile(eventSchemas['flotilla.boot']);
  const grains = Compile(eventSchemas['flotilla.grains']);
  const job = Compile(eventSchemas['flotilla.job']);
  const update = Compile(eventSchemas['flotilla.update']);

  return (row) => {
    if (Buffer.byteLength(row.type) > maxNameBytes || Buffer.byteLength(row.key) > maxNameBytes) {
      return dead(`type or key is longer than ${maxNameBytes} bytes`, 'too-large');
    }
    if (row.type === '') return dead('the type is empty');
    if (row.type.startsWith('coordinator.')) {
      return dead('coordinator.* is written by the coordinator alone', 'forbidden');
    }
    if (!(row.type in eventSchemas)) return { kind: 'plain' };
    if (row.schema !== 0n) return dead('a built-in type with a schema of its own');
    if (row.type !== 'flotilla.job' && row.payload.length > maxFactBytes) {
      return dead(`${row.payload.length} bytes, at most ${maxFactBytes}`, 'too-large');
    }
    const payload = parseJson(row.payload);
    if (payload === undefined) return dead('the payload is not JSON in UTF-8');
    switch (row.type as keyof typeof eventSchemas) {
      case 'flotilla.boot':
        return boot.Check(payload) ? { kind: 'boot', event: payload } : dead(firstError(boot, payload));
      case 'flotilla.grains':
        return grains.Check(payload) ? { kind: 'grains', event: payload } : dead(firstError(grains, payload));
      case 'flotilla.job':
        if (!job.Check(payload)) return dead(firstError(job, payload));
        return payload.jobId === row.key ? { kind: 'job', event: payload } : dead('jobId is not the key');
      case 'flotilla.update':
        if (!update.Check(payload)) return dead(firstError(update, payload));
        return payload.rolloutId === row.key ? { kind: 'update', event: payload } : dead('rolloutId is not the key');
    }
  };
}

function dead(reason: string, kind: 'reject' | 'too-large' | 'forbidden' = 'reject'): Meaning {
  return { kind: 'dead', class: kind, reason: reason.slice(0, 256) };
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
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
