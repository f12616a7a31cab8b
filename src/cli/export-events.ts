import { open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { CoordinatorClient, EventQuery } from '../client/index.ts';
import { FlotillaError } from '../error.ts';
import { replaceFile } from '../firmware/archive/atomic-file.ts';
import { writeText } from './write-line.ts';

export interface Exported {
  events: number;
  /** Where the next export goes on. */
  nextOffset: number;
}

type Source = Pick<CoordinatorClient, 'exportEvents'>;

/** Lines are written together up to this size. */
const chunkChars = 65_536;

/** Every event that matches as a line of JSON to stdout. `at` is kept up to date for who interrupts. */
export async function exportToStdout(client: Source, query: EventQuery, at: Exported, signal: AbortSignal) {
  await copyEvents(client, query, at, signal, (text) => writeText(process.stdout, text));
}

/** The same into a file, which is there only when all of it is. */
export async function exportToFile(
  client: Source,
  query: EventQuery,
  path: string,
  at: Exported,
  signal: AbortSignal,
): Promise<void> {
  await replaceFile(path, async (temporary) => {
    await using file = await open(temporary, 'wx', 0o600).catch((cause: unknown) => {
      throw new FlotillaError('usage', 'export-unwritable', `${path} can't be written`, {
        seen: cause instanceof Error ? cause.message : String(cause),
        suggestion: 'check the path and the permissions of its folder',
        cause,
      });
    });
    await copyEvents(client, query, at, signal, (text) => file.writeFile(text));
    if (signal.aborted) throw new FlotillaError('failed', 'export-interrupted', `${path} was not written`);
  });
}

async function copyEvents(
  client: Source,
  query: EventQuery,
  at: Exported,
  signal: AbortSignal,
  write: (text: string) => Promise<void>,
): Promise<void> {
  let text = '';
  let isWhole = false;
  const written = { ...at };
  const flush = async (): Promise<void> => {
    if (text !== '') await write(text);
    text = '';
    Object.assign(at, written);
  };
  for await (const row of client.exportEvents(query, signal)) {
    if (row.kind === 'event') {
      text += `${JSON.stringify(row.event)}\n`;
      written.events += 1;
      written.nextOffset = row.event.offset + 1;
      if (text.length < chunkChars) continue;
      await flush();
      await turn(); // what has come lies ready for long: Ctrl-C is heard between two turns of the loop alone
    } else {
      written.nextOffset = row.nextOffset;
      isWhole = row.kind === 'end';
      await flush();
    }
  }
  await flush();
  if (isWhole || signal.aborted) return;
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator closed the stream', {
    seen: `${at.events} events, up to offset ${at.nextOffset - 1}`,
    suggestion: `go on with --from ${at.nextOffset}`,
  });
}
