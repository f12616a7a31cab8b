import { open } from 'node:fs/promises';
import type { AuditExportRow } from '../../audit/index.ts';
import type { CoordinatorClient } from '../../client/index.ts';
import { FlotillaError } from '../../error.ts';
import { replaceFile } from '../../firmware/archive/atomic-file.ts';
import { writeText } from '../write-line.ts';

export interface ExportedAudit {
  rows: number;
  /** Of the last row. */
  head: string;
  /** Where the next export goes on. */
  nextSeq: number;
}

type Source = Pick<CoordinatorClient, 'exportAudit'>;
type Write = (text: string) => Promise<void>;

/** Every row as a line to stdout, or into a file that is there only when all of it is. */
export async function exportAudit(
  client: Source,
  query: { from?: number },
  out: string | undefined,
  signal: AbortSignal,
): Promise<ExportedAudit> {
  const rows = client.exportAudit(query, signal);
  if (out === undefined) return copy(rows, (text) => writeText(process.stdout, text));
  let exported: ExportedAudit | undefined;
  await replaceFile(out, async (temporary) => {
    await using file = await open(temporary, 'wx', 0o600).catch((cause: unknown) => {
      throw new FlotillaError('usage', 'export-unwritable', `${out} can't be written`, {
        seen: cause instanceof Error ? cause.message : String(cause),
        suggestion: 'check the path and the permissions of its folder',
        cause,
      });
    });
    exported = await copy(rows, (text) => file.writeFile(text));
  });
  return exported!;
}

const chunkChars = 65_536;

async function copy(rows: AsyncIterable<AuditExportRow>, write: Write): Promise<ExportedAudit> {
  let text = '';
  let ended: ExportedAudit | undefined;
  for await (const row of rows) {
    text += `${JSON.stringify(row)}\n`;
    if (row.kind === 'trailer') {
      ended = { rows: row.rows, head: row.head, nextSeq: Number(row.head.split(':')[0]) + 1 };
    }
    if (text.length < chunkChars) continue;
    await write(text);
    text = '';
  }
  await write(text);
  if (ended !== undefined) return ended;
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator closed the stream', {
    suggestion: 'export again: without its trailer the file counts as cut',
  });
}
