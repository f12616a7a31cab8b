import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import {
  hashEntry,
  emptyHead,
  type AuditDevices,
  type AuditField,
  type AuditHead,
  type AuditResult,
  type RawEntry,
} from '../audit/index.ts';
import type { AuditRow, AuditEntry } from './audit-row.ts';
import { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

/** The columns in the order in which their values are hashed, by the name of the field. */
const columns: Record<AuditField, string> = {
  seq: 'seq',
  atMs: 'at_ms',
  actor: 'actor',
  role: 'role',
  from: 'origin',
  action: 'action',
  subject: 'subject',
  devices: 'devices',
  result: 'result',
  code: 'code',
  detail: 'detail',
  prev: 'prev',
};
const table = `CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL,
  origin TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  devices TEXT NOT NULL,
  result TEXT NOT NULL,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT`;
const insert = `INSERT INTO audit (${Object.values(columns).join(', ')}, hash) VALUES (${'?,'.repeat(12)}?)`;

/**
 * The end of the chain as this process wrote it. It is kept in memory: a row that another hand has taken away or put in
 * while we run breaks the chain with the next row, instead of becoming its beginning.
 */
export class AuditChain {
  #head: AuditHead;
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.#head = readAuditHead(statements);
  }

  get head(): AuditHead {
    return this.#head;
  }

  /** After a transaction was rolled back: the head that `head` gave before it. */
  restore(head: AuditHead): void {
    this.#head = head;
  }

  append(row: AuditRow): void {
    const seq = this.#head.seq + 1;
    const texts = {
      actor: row.actor,
      role: row.role,
      from: row.from,
      action: row.action,
      subject: row.subject,
      devices: JSON.stringify(row.devices),
      result: row.result,
      code: row.code,
      detail: JSON.stringify(row.detail ?? null),
      prev: this.#head.hash,
    };
    // What has no UTF-8 (half of a surrogate pair) is stored as it is hashed.
    const stored = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.toWellFormed()]));
    const hash = hashEntry({ ...(stored as typeof texts), seq: String(seq), atMs: String(row.atMs) });
    this.#statements.get(insert).run(seq, row.atMs, ...Object.values(stored), hash);
    this.#head = { seq, hash };
  }
}

/**
 * The schema's step to the chain. Rows of before become its first links, as they are; a row behind them says how many
 * they were, because nothing held them until then.
 */
export function chainAudit(database: DatabaseSync): void {
  const before = database
    .prepare('SELECT at_ms, actor, action, subject, detail FROM audit ORDER BY id')
    .all() as Columns[];
  database.exec(`DROP TABLE audit; ${table}`);
  const chain = new AuditChain(new Statements(database));
  for (const { at_ms: atMs, actor, action, subject, detail } of before) {
    chain.append({
      atMs: Number(atMs),
      actor: String(actor),
      role: '',
      from: '',
      action: String(action),
      subject: String(subject),
      devices: { count: 0, ids: [] },
      result: 'ok',
      code: '',
      detail: JSON.parse(String(detail)) as unknown,
    });
  }
  chain.append({
    atMs: Date.now(),
    actor: 'system:migration',
    role: 'system',
    from: 'coordinator',
    action: 'audit.begin',
    subject: '',
    devices: { count: 0, ids: [] },
    result: 'ok',
    code: '',
    detail: { rowsOfBefore: before.length },
  });
}

export function readAuditHead(statements: Statements): AuditHead {
  const row = statements.get('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1').get();
  return row === undefined ? emptyHead : { seq: Number(row['seq']), hash: String(row['hash']) };
}

export interface AuditFilter {
  actor?: string;
  /** GLOB. */
  action?: string;
  /** Also rows whose list of devices is cut: it may be among the rest. */
  deviceId?: string;
  result?: AuditResult;
  sinceMs?: number;
  untilMs?: number;
}

export interface AuditScan {
  filter: AuditFilter;
  direction: 'up' | 'down';
  /** The first row to be looked at, and the last. */
  from: number;
  to: number;
  limit: number;
}

export interface AuditSlice {
  entries: AuditEntry[];
  /** Where the walk goes on; absent: it has come to `to`. */
  next?: number;
}

/** Rows that are looked at in one call: some 20 ms. */
const maxScannedRows = 16_384;

export function scanAudit(statements: Statements, { filter, direction, from, to, limit }: AuditScan): AuditSlice {
  const up = direction === 'up';
  if (up ? from > to : from < to) return { entries: [] };
  const end = up ? Math.min(to, from + maxScannedRows - 1) : Math.max(to, from - maxScannedRows + 1);
  const { where, values } = conditions(filter);
  const sql = `SELECT * FROM audit WHERE seq BETWEEN :low AND :high ${where} ORDER BY seq ${up ? 'ASC' : 'DESC'} LIMIT :limit`;
  const found = statements.get(sql).all({ low: Math.min(from, end), high: Math.max(from, end), limit, ...values });
  const entries = (found as Columns[]).map(entryOf);
  const last = entries.length >= limit ? entries.at(-1)!.seq : end;
  const next = last + (up ? 1 : -1);
  return (up ? next > to : next < to) ? { entries } : { entries, next };
}

function conditions({ actor, action, deviceId, result, sinceMs, untilMs }: AuditFilter): {
  where: string;
  values: Record<string, SQLInputValue>;
} {
  const device = `(EXISTS (SELECT 1 FROM json_each(devices, '$.ids') WHERE value = :device)
    OR json_extract(devices, '$.count') > json_array_length(devices, '$.ids'))`;
  const parts: [string, string, SQLInputValue | undefined][] = [
    ['actor = :actor', 'actor', actor],
    ['action GLOB :action', 'action', action],
    [`json_valid(devices) AND ${device}`, 'device', deviceId],
    ['result = :result', 'result', result],
    ['at_ms >= :since', 'since', sinceMs],
    ['at_ms < :until', 'until', untilMs],
  ];
  const given = parts.filter((part): part is [string, string, SQLInputValue] => part[2] !== undefined);
  return {
    where: given.map(([condition]) => `AND ${condition}`).join(' '),
    values: Object.fromEntries(given.map(([, name, value]) => [name, value])),
  };
}

function entryOf(row: Columns): AuditEntry {
  const text = (field: AuditField): string => String(row[columns[field]]);
  return {
    seq: Number(row['seq']),
    atMs: Number(row['at_ms']),
    actor: text('actor'),
    role: text('role'),
    from: text('from'),
    action: text('action'),
    subject: text('subject'),
    devices: parsed(text('devices'), { count: 0, ids: [] }) as AuditDevices,
    result: text('result') as AuditResult,
    code: text('code'),
    detail: parsed(text('detail'), null),
    prev: text('prev'),
    hash: String(row['hash']),
  };
}

/** What was damaged is shown as far as it goes; to find it out is the business of the verification. */
function parsed(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Rows as they lie there, byte for byte, whatever they have become. At most `limit` from `from` on. */
export function readRawAudit(statements: Statements, from: number, limit: number): RawEntry[] {
  return statements.get(selectRaw).all({ from, limit }) as unknown as RawEntry[];
}

const selectRaw = `SELECT CAST(seq AS TEXT) AS seq, CAST(at_ms AS TEXT) AS atMs, ${Object.entries(columns)
  .filter(([field]) => field !== 'seq' && field !== 'atMs')
  .map(([field, column]) => `CAST(${column} AS BLOB) AS "${field}"`)
  .join(', ')}, CAST(hash AS BLOB) AS hash FROM audit WHERE audit.seq >= :from ORDER BY audit.seq LIMIT :limit`;
