/** Verifies an audit log where it lies, read-only, whether a coordinator runs or not. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { X509Certificate } from 'node:crypto';
import {
  checkpointFileName,
  formatHead,
  keptAnchor,
  verifyLog,
  type AuditHead,
  type LogReport,
  type RawEntry,
} from '../../audit/index.ts';
import type { AuditVerification } from '../../client/contract/index.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { openAuditFile } from '../../store/audit-file.ts';

export interface DatabaseOption {
  /** flotilla.db, or a copy of it; the file of signed heads is looked for beside it. */
  path: string;
  /** Certificates that may have signed heads. */
  signers: readonly X509Certificate[];
  kept?: AuditHead | undefined;
}

/** @throws FlotillaError when there is no database that could be read at all */
export async function verifyDatabase({ path, signers, kept }: DatabaseOption): Promise<AuditVerification> {
  // First: the log only grows, so no head can be of rows that come after the look.
  const heads = await readHeads(join(dirname(path), checkpointFileName));
  using log = openAuditFile(path);
  const report = await verifyLog(
    {
      fleetId: log.fleetId,
      instanceId: log.instanceId,
      checkpoints: { file: heads, stored: log.checkpoint },
      rows: pagesOf(log.rows()),
    },
    signers,
    kept === undefined ? [] : [keptAnchor(kept)],
    (error) => (error instanceof FlotillaError ? `${error.message} (${error.detail.seen ?? error.code})` : undefined),
  );
  return { ...view(report), source: path, fleetId: log.fleetId, from: 1, notes: notesOf(report) };
}

export function view({ rows, head, anchored, problems, problemCount }: Omit<LogReport, 'signed' | 'otherKey'>) {
  return {
    ok: problemCount === 0,
    rows,
    head: formatHead(head),
    ...(anchored.seq === 0 ? {} : { anchored: formatHead(anchored) }),
    unanchoredRows: Math.max(0, head.seq - anchored.seq),
    problems,
    problemCount,
  };
}

function notesOf({ head, anchored, otherKey, signed }: LogReport): string[] {
  const notes = [`${signed} signed heads agree with the coordinator's key`];
  if (otherKey > 0) notes.push(`${otherKey} signed heads of an earlier key were not looked at`);
  const open = head.seq - anchored.seq;
  if (open > 0) notes.push(`the last ${open} rows are not signed yet: a second after the change, or at the next start`);
  return notes;
}

function* pagesOf(rows: Iterable<RawEntry>): Generator<RawEntry[]> {
  for (const row of rows) yield [row];
}

async function readHeads(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw new FlotillaError('usage', 'audit-heads-unreadable', `${path} can't be read`, {
      seen: systemErrorCode(cause) ?? String(cause),
      suggestion: 'run as the user that runs the coordinator',
      cause,
    });
  }
}
