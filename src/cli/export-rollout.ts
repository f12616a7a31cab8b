import type { RolloutRecordingRow } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { writeFileAtomically } from '../firmware/archive/atomic-file.ts';
import { writeText } from './write-line.ts';

/** Lines are written together up to this size. */
const chunkChars = 65_536;

/**
 * Every row as a line of JSON, to the file or to stdout.
 * @returns how many steps there were
 */
export async function exportRollout(rows: AsyncIterable<RolloutRecordingRow>, path?: string): Promise<number> {
  if (path === undefined) return copyRows(rows, (text) => writeText(process.stdout, text));
  let steps = 0;
  await writeFileAtomically(path, async (write) => {
    steps = await copyRows(rows, (text) => write(Buffer.from(text)));
  });
  return steps;
}

async function copyRows(
  rows: AsyncIterable<RolloutRecordingRow>,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let text = '';
  let steps = 0;
  let isWhole = false;
  for await (const row of rows) {
    text += `${JSON.stringify(row)}\n`;
    if (row.kind === 'step') steps += 1;
    isWhole = row.kind === 'outcome';
    if (text.length < chunkChars) continue;
    await write(text);
    text = '';
  }
  if (text !== '') await write(text);
  if (isWhole) return steps;
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator closed the stream', {
    seen: `${steps} steps and no outcome`,
    suggestion: 'export it again',
  });
}
