import type { Statements } from './statement.ts';
import type { StoreWrite } from './packed-write.ts';

/**
 * Rows of the log in one span. A span's first and last time of receipt are all that stands between a question about a
 * time and a walk through the whole log: 24,414 rows for 100 million events, and right though the clock may jump.
 */
export const spanRows = 4_096;

export const spanOf = (offset: number): number => Math.floor(offset / spanRows);

/** One row or two for a transaction, whatever the number of its events. */
export function noteSpans(statements: Statements, commits: readonly { writes: readonly StoreWrite[] }[]): void {
  const spans = new Map<number, { min: number; max: number }>();
  for (const { writes } of commits) {
    for (const write of writes) {
      if (write.kind === 'event') {
        widen(spans, spanOf(write.event.offset), write.event.receivedAtMs);
      } else if (write.kind === 'event-block') {
        const { firstOffset, count, skip, receivedAtMs } = write.block;
        const last = spanOf(firstOffset + count - skip - 1);
        for (let span = spanOf(firstOffset); span <= last; span += 1) widen(spans, span, receivedAtMs);
      }
    }
  }
  for (const [span, { min, max }] of spans) {
    statements
      .get(
        `INSERT INTO event_span VALUES (?,?,?) ON CONFLICT (span)
         DO UPDATE SET min_ms = min(min_ms, excluded.min_ms), max_ms = max(max_ms, excluded.max_ms)`,
      )
      .run(span, min, max);
  }
}

function widen(spans: Map<number, { min: number; max: number }>, span: number, atMs: number): void {
  const known = spans.get(span);
  if (known === undefined) spans.set(span, { min: atMs, max: atMs });
  else {
    known.min = Math.min(known.min, atMs);
    known.max = Math.max(known.max, atMs);
  }
}
