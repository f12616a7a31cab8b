import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RolloutRecordingRow } from '../client/contract/index.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';

/** The rows of a file that `rollout export` has written, one after another: it may be large. */
export async function* readRecording(file: string): AsyncGenerator<RolloutRecordingRow> {
  let line = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      line += 1;
      if (text.trim() !== '') yield rowOf(text, file, line);
    }
  } catch (cause) {
    if (cause instanceof FlotillaError) throw cause;
    const code = systemErrorCode(cause);
    throw new FlotillaError('usage', 'file-unreadable', `${file} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      expected: 'what flotilla rollout export has written',
      cause,
    });
  }
}

function rowOf(text: string, file: string, line: number): RolloutRecordingRow {
  try {
    const row: unknown = JSON.parse(text);
    if (typeof row === 'object' && row !== null && 'kind' in row) return row as RolloutRecordingRow;
  } catch {
    // Said below.
  }
  throw new FlotillaError('usage', 'recording-malformed', 'this is no row of a recording', {
    seen: text.slice(0, 80),
    expected: 'what flotilla rollout export has written',
    position: { file, line, column: 1 },
  });
}
