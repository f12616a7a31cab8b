import { execa } from 'execa';
import type { Confirmed } from './door-publisher.ts';

/** A row of the coordinator's file, as Debian's sqlite3 reads it. */
interface Stored {
  offset: number;
  device: string;
  instance: string;
  lane: number;
  seq: number;
  type: string;
  n: number;
}

export interface Comparison {
  confirmed: number;
  stored: number;
  /** Confirmed and not in the file. */
  lost: Confirmed[];
  /** More than once in the file. */
  twice: Stored[];
  /** In the file under another number than was confirmed. */
  renumbered: { confirmed: Confirmed; stored: Stored }[];
  /** Of one lane, stored before one with a lower number. */
  disordered: Stored[];
  /** Stored and never confirmed: the answer was lost on its way. Allowed. */
  unconfirmed: number;
}

const query = `
  SELECT offset, device, instance, lane, seq, type, json_extract(CAST(payload AS TEXT), '$.n') AS n
  FROM event WHERE type GLOB 'chaos.*' ORDER BY offset`;

/** How many rows of ours the file holds; the coordinator may be writing it. */
export async function countStored(databasePath: string): Promise<number> {
  return Number(await ask(databasePath, `SELECT count(*) FROM event WHERE type GLOB 'chaos.*'`, []));
}

/** Type and number of what lies among the dead letters of the handler, or of anybody. */
export async function deadLetters(
  databasePath: string,
): Promise<{ layer: string; device: string; n: number | null }[]> {
  const text = await ask(
    databasePath,
    `SELECT layer, device, json_extract(CAST(payload AS TEXT), '$.n') AS n FROM dead_letter ORDER BY id`,
    ['-json'],
  );
  return text === '' ? [] : JSON.parse(text);
}

/** Holds the ledger of the publishers against the coordinator's file. */
export async function compare(databasePath: string, ledger: readonly Confirmed[]): Promise<Comparison> {
  const text = await ask(databasePath, query, ['-json']);
  const rows: Stored[] = text === '' ? [] : JSON.parse(text);
  const byNumber = new Map<string, Stored>();
  const twice: Stored[] = [];
  const disordered: Stored[] = [];
  const lastSeq = new Map<string, number>();
  for (const row of rows) {
    const name = `${row.device} ${row.type} ${row.n}`;
    if (byNumber.has(name)) twice.push(row);
    byNumber.set(name, row);
    const lane = `${row.device} ${row.instance} ${row.lane}`;
    if (row.seq <= (lastSeq.get(lane) ?? 0)) disordered.push(row);
    lastSeq.set(lane, row.seq);
  }
  const lost: Confirmed[] = [];
  const renumbered: Comparison['renumbered'] = [];
  for (const confirmed of ledger) {
    const stored = byNumber.get(`${confirmed.device} ${confirmed.type} ${confirmed.n}`);
    if (stored === undefined) lost.push(confirmed);
    else if (stored.seq !== confirmed.seq || stored.lane !== confirmed.lane) renumbered.push({ confirmed, stored });
  }
  return {
    confirmed: ledger.length,
    stored: rows.length,
    lost,
    twice,
    renumbered,
    disordered,
    unconfirmed: rows.length - twice.length - (ledger.length - lost.length),
  };
}

async function ask(databasePath: string, sql: string, flags: readonly string[]): Promise<string> {
  const { stdout } = await execa(
    'sqlite3',
    ['-readonly', '-bail', '-cmd', '.timeout 20000', ...flags, databasePath, sql],
    {
      maxBuffer: 1024 ** 3,
    },
  );
  return stdout;
}
