import type { JobEvent, JobOutcome } from '../../protocol/event.ts';
import type { BoundedResult } from '../machine/run-bounded.ts';

/** An event must fit in one frame with room for its head. */
export const maxJobEventBytes = 900_000;

/** How a process that has ended, or could not begin, ends its job. */
export function jobResult(
  result: BoundedResult,
  aborted: 'cancelled' | 'unknown',
): { outcome: JobOutcome; reason?: string } {
  switch (result.end) {
    case 'not-started':
      return { outcome: 'failed', reason: `it could not be started: ${result.message ?? 'no reason was given'}` };
    case 'timed-out':
      return { outcome: 'timed-out' };
    case 'aborted':
      return aborted === 'cancelled' ? { outcome: 'cancelled' } : { outcome: 'unknown', reason: 'agent stopped' };
    case 'exited':
      return { outcome: result.exitCode === 0 ? 'succeeded' : 'failed' };
  }
}

/** The event, its outputs cut until it fits; what is cut counts as truncated. */
export function fitJobEvent(event: JobEvent, maxBytes = maxJobEventBytes): JobEvent {
  const fitted: JobEvent = { ...event };
  if (fitted.reason !== undefined) fitted.reason = fitted.reason.slice(0, 256);
  while (Buffer.byteLength(JSON.stringify(fitted)) > maxBytes) {
    const { stdout = '', stderr = '', truncatedBytes = 0 } = fitted;
    const name = stdout.length >= stderr.length ? 'stdout' : 'stderr';
    const text = name === 'stdout' ? stdout : stderr;
    if (text === '') break;
    const kept = text.slice(0, Math.floor(text.length / 2));
    fitted[name] = kept;
    fitted.truncatedBytes = truncatedBytes + Buffer.byteLength(text) - Buffer.byteLength(kept);
  }
  return fitted;
}
