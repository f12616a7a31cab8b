import type { Redacted, RedactRequest } from '../../client/contract/event.ts';
import { FlotillaError } from '../../error.ts';
import type { ErasableTable } from '../../store/index.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { putConsumer } from '../core/consumer-operation.ts';
import type { Turn } from '../core/turn.ts';
import { audit, type ServiceContext } from './context.ts';
import { filterOf } from './event-service.ts';

/** More at once is a mistake more often than a wish. */
const maxEvents = 100_000;
const pageRows = 1_000;
/** In one commit: devices wait for it. */
const commitRows = 1_000;
const scrubAttempts = 20;
const scrubEveryMs = 100;

/**
 * Takes key and payload out of rows of the log, for good: what stays is the row, that somebody took it out, and why.
 * Rows that were redacted before are left as they are.
 */
export async function redactEvents(context: ServiceContext, request: RedactRequest): Promise<Redacted> {
  const { offsets, hasJob } = await findRows(context, request);
  const found: Redacted = {
    events: offsets.length,
    ...(offsets.length === 0 ? {} : { firstOffset: offsets[0]!, lastOffset: offsets.at(-1)! }),
    erased: false,
  };
  if (request.expect !== undefined && request.expect !== offsets.length) {
    throw new FlotillaError('refused', 'redact-count-differs', 'other events match than you have agreed to', {
      seen: String(offsets.length),
      expected: String(request.expect),
      suggestion: 'look again with --dry-run; new events may have come',
    });
  }
  if (request.dryRun === true || offsets.length === 0) return found;
  for (let at = 0; at < offsets.length; at += commitRows) {
    const part = offsets.slice(at, at + commitRows);
    await context.core.submit((turn) => redact(turn, context, part, request.reason));
  }
  try {
    return { ...found, erased: await scrub(context, hasJob ? ['dead_letter', 'job_device'] : ['dead_letter']) };
  } catch (cause) {
    throw new FlotillaError(
      'failed',
      'redact-not-erased',
      'the events are redacted, but not yet erased from the disk',
      {
        seen: cause instanceof Error ? cause.message : String(cause),
        suggestion: 'mend that, then redact any other event: it erases what was left',
        cause,
      },
    );
  }
}

function redact(turn: Turn, context: ServiceContext, offsets: number[], reason: string): void {
  const { nowMs, state } = turn;
  turn.write({ kind: 'redact', offsets, marker: { by: context.actor, reason, atMs: nowMs } });
  const gone = new Set(offsets);
  for (const consumer of state.consumers.values()) {
    if (!consumer.tried.some(({ offset }) => gone.has(offset))) continue;
    // What its handler has said of such an event may quote it.
    const tried = consumer.tried.map((one) => (gone.has(one.offset) ? { ...one, error: '' } : one));
    putConsumer(turn, { ...consumer, tried });
  }
  const payload = { count: offsets.length, offsets: rangesOf(offsets), reason, by: context.actor };
  appendOwnEvent(turn, { deviceId: '', type: 'coordinator.redacted', key: '', payload });
  audit(turn, context, 'event.redact', `${offsets.length} events`, payload);
}

async function findRows({ core }: ServiceContext, { offsets, filter }: RedactRequest) {
  if ((offsets === undefined) === (filter === undefined) || (filter && Object.keys(filter).length === 0)) {
    throw new FlotillaError('usage', 'redact-what', 'say which events: offsets, or a filter, not both', {
      suggestion: 'flotilla event tail shows offsets',
    });
  }
  const { where, lastOffset } = await core.submit((turn) => ({
    where: filter === undefined ? {} : filterOf(turn, filter),
    lastOffset: turn.state.counters.get('offset') ?? 0,
  }));
  const found = new Set<number>();
  let hasJob = false;
  const wanted =
    offsets === undefined ? [[1, lastOffset] as const] : offsets.map((offset) => [offset, offset] as const);
  for (const [first, to] of wanted) {
    for (let from: number | undefined = first; from !== undefined;) {
      const slice = await core.store.scan({ filter: where, direction: 'up', from, to, limit: pageRows });
      for (const { offset, redacted, type } of slice.rows) {
        // What tells of a redaction is not taken out by another one.
        if (redacted !== undefined || type === 'coordinator.redacted') continue;
        found.add(offset);
        hasJob ||= type === 'flotilla.job';
      }
      if (offsets !== undefined && slice.rows.length === 0) throw unknownOffset(first, lastOffset);
      if (found.size > maxEvents) throw tooMany();
      from = slice.next;
    }
  }
  return { offsets: [...found].toSorted((a, b) => a - b), hasJob };
}

/** A page of ours that is being read holds the log for a moment. */
async function scrub({ core, clock }: ServiceContext, tables: readonly ErasableTable[]): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    if (await core.store.scrub(attempt === 1 ? tables : [])) return true;
    if (attempt === scrubAttempts) return false;
    await new Promise<void>((resolve) => void clock.schedule(scrubEveryMs, resolve));
  }
}

/** `[[1, 3], [7, 7]]` for 1, 2, 3, 7. */
function rangesOf(offsets: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const offset of offsets) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === offset - 1) last[1] = offset;
    else ranges.push([offset, offset]);
  }
  return ranges;
}

function unknownOffset(offset: number, lastOffset: number): FlotillaError {
  return new FlotillaError('usage', 'event-unknown', `there is no event ${offset}`, {
    seen: String(offset),
    expected: `1 to ${lastOffset}`,
  });
}

function tooMany(): FlotillaError {
  return new FlotillaError('refused', 'redact-too-many', `more than ${maxEvents} events match`, {
    suggestion: 'narrow the filter, or go on in parts with --since and --until',
  });
}
