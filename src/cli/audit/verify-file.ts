/** Verifies an export, wherever it has come to: with the fleet at hand its signed head, too. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { formatHead, keptAnchor, verifyExport, type AuditHead, type ExportReport } from '../../audit/index.ts';
import type { AuditVerification } from '../../client/contract/index.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { signersOf, type Trust } from './signer.ts';
import { view } from './verify-database.ts';

export async function verifyFile(
  path: string,
  trust: Trust | undefined,
  kept: AuditHead | undefined,
): Promise<AuditVerification> {
  const find = (pem: string | undefined) => (trust?.fleetId === undefined ? [] : signersOf(trust, trust.fleetId, pem));
  let report: ExportReport;
  try {
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
    report = await verifyExport(lines, find, kept === undefined ? [] : [keptAnchor(kept)]);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const { fleetId, after, signed } = report;
  return { ...view(report), source: path, fleetId, from: after.seq + 1, notes: notesOf(report, trust, signed) };
}

function notesOf({ after }: ExportReport, trust: Trust | undefined, signed: ExportReport['signed']): string[] {
  const notes = [];
  if (signed === 'good') notes.push('its head was signed by the coordinator');
  else if (signed === 'none') notes.push('its head is not signed: who can write the file can write all of it anew');
  else {
    const why =
      trust === undefined ? 'no fleet is at hand: --fleet-dir' : 'no authority of this fleet vouches for its signer';
    notes.push(`the signature of its head was not checked, ${why}`);
  }
  if (after.seq > 0) notes.push(`it begins behind ${formatHead(after)}: compare that with what you have`);
  return notes;
}

function unreadable(path: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (!(cause instanceof SyntaxError) && code === undefined) return cause;
  return new FlotillaError('usage', 'audit-export-unreadable', `${path} is no export of an audit log`, {
    seen: code ?? (cause as Error).message,
    expected: 'a file that flotilla audit export has written',
    cause,
  });
}
