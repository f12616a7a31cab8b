import { open } from 'node:fs/promises';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { DeviceResult } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { replaceFile } from '../firmware/archive/atomic-file.ts';
import { formatCsvLine } from './format-csv.ts';
import { writeText } from './write-line.ts';

export const exportFormats = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const columns = [
  'deviceId',
  'state',
  'outcome',
  'exitCode',
  'signal',
  'reason',
  'startedAt',
  'finishedAt',
  'truncatedBytes',
  'restored',
  'stdout',
  'stderr',
] as const;
/** Lines are written together up to this size. */
const chunkChars = 65_536;

/** Every result of a job to stdout, or into a file that is there only when all of it is. Resolves with their number. */
export async function exportResults(
  client: Pick<CoordinatorClient, 'jobResults'>,
  { job, format, out }: { job: string; format: ExportFormat; out: string | undefined },
): Promise<number> {
  const rows = client.jobResults(job);
  if (out === undefined) return copy(rows, format, (text) => writeText(process.stdout, text));
  let count = 0;
  await replaceFile(out, async (temporary) => {
    await using file = await open(temporary, 'wx', 0o600).catch((cause: unknown) => {
      throw new FlotillaError('usage', 'export-unwritable', `${out} can't be written`, {
        seen: cause instanceof Error ? cause.message : String(cause),
        suggestion: 'check the path and the permissions of its folder',
        cause,
      });
    });
    count = await copy(rows, format, (text) => file.writeFile(text));
  });
  return count;
}

async function copy(
  rows: AsyncIterable<DeviceResult>,
  format: ExportFormat,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  let text = format === 'csv' ? formatCsvLine(columns) : '';
  for await (const row of rows) {
    text += format === 'csv' ? csvOf(row) : `${JSON.stringify(row)}\n`;
    count += 1;
    if (text.length < chunkChars) continue;
    await write(text);
    text = '';
  }
  if (text !== '') await write(text);
  return count;
}

function csvOf(result: DeviceResult): string {
  const { startedAtMs, finishedAtMs, restore, file: _, ...row } = result;
  const times = { startedAt: timeOf(startedAtMs), finishedAt: timeOf(finishedAtMs), restored: restore?.outcome };
  const fields: Partial<Record<string, string | number>> = { ...row, ...times };
  return formatCsvLine(columns.map((name) => fields[name]));
}

/** A device may tell a time that no date can hold. */
function timeOf(ms: number | undefined): string | undefined {
  if (ms === undefined) return undefined;
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
