import type { JobEvent } from '../../protocol/event.ts';

/** An event must fit in one frame with room for its head. */
export const maxJobEventBytes = 900_000;
const maxReasonLength = 256;

type Outputs = Pick<JobEvent, 'stdout' | 'stderr' | 'truncatedBytes' | 'reason'>;

/** The event, its outputs cut until it fits; what is cut counts as truncated. */
export function fitJobEvent(event: JobEvent, maxBytes = maxJobEventBytes): JobEvent {
  const fitted: JobEvent = { ...event, ...(event.restore === undefined ? {} : { restore: { ...event.restore } }) };
  const parts: Outputs[] = fitted.restore === undefined ? [fitted] : [fitted, fitted.restore];
  for (const part of parts) {
    if (part.reason !== undefined) part.reason = part.reason.slice(0, maxReasonLength);
  }
  while (Buffer.byteLength(JSON.stringify(fitted)) > maxBytes) {
    const [part, name, text] = longest(parts);
    if (text === '') break;
    const kept = text.slice(0, Math.floor(text.length / 2));
    part[name] = kept;
    part.truncatedBytes = (part.truncatedBytes ?? 0) + Buffer.byteLength(text) - Buffer.byteLength(kept);
  }
  return fitted;
}

function longest(parts: readonly Outputs[]): [Outputs, 'stdout' | 'stderr', string] {
  const texts = parts.flatMap((part): [Outputs, 'stdout' | 'stderr', string][] => [
    [part, 'stdout', part.stdout ?? ''],
    [part, 'stderr', part.stderr ?? ''],
  ]);
  return texts.reduce((best, each) => (each[2].length > best[2].length ? each : best));
}
