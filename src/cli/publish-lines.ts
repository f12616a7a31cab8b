import { FlotillaError } from '../error.ts';
import {
  DoorError,
  LineSplitter,
  maxLineBytes,
  maxRows,
  type DoorClient,
  type NewEvent,
  type Published,
} from '../door/index.ts';
import { parseEventLine } from './event-input.ts';

/** Of one publish. */
const maxBatchLines = Math.min(maxRows, 200);
const maxBatchBytes = 256 * 1024;

interface Batch {
  events: NewEvent[];
  /** The number of each event's line, from 1. */
  lines: number[];
  bytes: number;
}

/**
 * Publishes NDJSON lines in their order, what has come by then at a time, and tells of each once it is on disk. Ends at
 * the first line that is refused: all before it are stored, and nothing behind it.
 */
export async function publishLines(
  door: DoorClient,
  input: AsyncIterable<Uint8Array>,
  option: { patienceMs: number; onStored(line: number, published: Published): void },
): Promise<number> {
  let stored = 0;
  let line = 0;
  let batch: Batch = { events: [], lines: [], bytes: 0 };
  const send = async () => {
    const { events, lines } = batch;
    batch = { events: [], lines: [], bytes: 0 };
    if (events.length === 0) return;
    const store = async (part: NewEvent[]) => {
      const published = part.length === 0 ? [] : await door.publishAll(part, option);
      for (const [n, one] of published.entries()) option.onStored(lines[n]!, one);
      stored += published.length;
    };
    try {
      await store(events);
    } catch (error) {
      if (!(error instanceof DoorError) || error.row === undefined) throw error;
      await store(events.slice(0, error.row));
      const document = error.toJSON();
      throw DoorError.fromJSON({ ...document, message: `line ${lines[error.row]}: ${document.message}` });
    }
  };
  for await (const bytes of wholeLines(input)) {
    if (bytes === 'pause') {
      await send();
      continue;
    }
    line += 1;
    const text = Buffer.from(bytes).toString();
    if (text.trim() === '') continue;
    const event = await parsed(text, line, send);
    if (batch.events.length === maxBatchLines || batch.bytes + bytes.length > maxBatchBytes) await send();
    batch.events.push(event);
    batch.lines.push(line);
    batch.bytes += bytes.length;
  }
  await send();
  return stored;
}

/** `pause`: nothing more is here yet. */
async function* wholeLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | 'pause'> {
  const lines = new LineSplitter(maxLineBytes);
  const take = function* (chunk: Uint8Array): Generator<Uint8Array> {
    lines.push(chunk);
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      if (line !== 'too-long') yield line;
      else throw new FlotillaError('usage', 'event-malformed', `a line is longer than ${maxLineBytes} bytes`);
    }
  };
  for await (const chunk of input) {
    yield* take(chunk);
    yield 'pause';
  }
  if (lines.unfinishedBytes > 0) yield* take(Buffer.from('\n')); // the last line may lack its end
}

/** The lines before one that is no event are stored all the same. */
async function parsed(text: string, line: number, send: () => Promise<void>): Promise<NewEvent> {
  try {
    return parseEventLine(text, line);
  } catch (error) {
    await send();
    throw error;
  }
}
