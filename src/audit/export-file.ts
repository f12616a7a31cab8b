/** An export: NDJSON that carries its part of the chain, so that it can be verified where nothing else is at hand. */
import type { X509Certificate } from 'node:crypto';
import { anchorsOf, judgeCheckpoints } from './anchor.ts';
import type { Checkpoint } from './checkpoint.ts';
import { auditFields, formatHead, hashPattern, parseHead, type AuditHead, type RawEntry } from './entry.ts';
import type { AuditProblem } from './problem.ts';
import { ChainVerifier, type Anchor, type ChainReport } from './verify-chain.ts';

/** The first line. */
export interface ExportHeader {
  kind: 'header';
  version: 1;
  fleetId: string;
  instanceId: string;
  exportedAtMs: number;
  /** The head in front of the first row, `SEQ:HASH`. */
  after: string;
  /** The head of the last row, signed. */
  checkpoint?: Checkpoint;
  /** Of its signer, PEM. */
  certificate?: string;
}

/** A row with its texts exactly as they were hashed; `devices` and `detail` are JSON inside of a string. */
export type ExportEntry = { kind: 'entry'; seq: number; atMs: number } & Record<
  Exclude<keyof RawEntry, 'seq' | 'atMs'>,
  string
>;

/** The last line: a file without it was cut. */
export interface ExportTrailer {
  kind: 'trailer';
  rows: number;
  head: string;
}

export type AuditExportRow = ExportHeader | ExportEntry | ExportTrailer;

export interface ExportReport extends ChainReport {
  fleetId: string;
  after: AuditHead;
  /** Whether the head in the file was signed by a signer that was given. */
  signed: 'good' | 'unknown-signer' | 'none';
}

/** Who may have signed the head in a file, which brings its signer's certificate along; nobody has vouched for that. */
export type FindSigners = (certificatePem: string | undefined) => readonly X509Certificate[];

/** @throws SyntaxError when the file is no export at all: its first line is not the header */
export async function verifyExport(
  lines: AsyncIterable<string>,
  findSigners: FindSigners,
  kept: readonly Anchor[],
): Promise<ExportReport> {
  let header: ExportHeader | undefined;
  let after: AuditHead | undefined;
  let verifier: ChainVerifier | undefined;
  let trailer: ExportTrailer | undefined;
  let rows = 0;
  let number = 0;
  let signed: ExportReport['signed'] = 'none';
  const problems: AuditProblem[] = [];
  const odd = (message: string): void => {
    problems.push({ kind: 'unreadable', seq: rows === 0 ? 0 : (after?.seq ?? 0) + rows, message });
  };
  for await (const line of lines) {
    number += 1;
    const value = parse(line);
    if (verifier === undefined) {
      header = headerOf(value);
      after = header === undefined ? undefined : parseHead(header.after);
      if (header === undefined || after === undefined)
        throw new SyntaxError('the first line is no header of an export');
      const judged = judgeHeader(header, findSigners(header.certificate));
      signed = judged.signed;
      problems.push(...judged.problems);
      verifier = new ChainVerifier([...kept, ...judged.anchors], after);
    } else if (trailer !== undefined) odd(`line ${number} stands behind the trailer`);
    else if (value?.['kind'] === 'trailer') trailer = value as unknown as ExportTrailer;
    else {
      const entry = entryOf(value);
      if (entry === undefined) odd(`line ${number} is no row`);
      else {
        rows += 1;
        verifier.push(entry);
      }
    }
  }
  if (header === undefined || after === undefined || verifier === undefined) throw new SyntaxError('the file is empty');
  const report = verifier.end();
  problems.push(...report.problems);
  judgeTrailer(trailer, report, (message) => problems.push({ kind: 'truncated', seq: report.head.seq, message }));
  return {
    ...report,
    fleetId: header.fleetId,
    after,
    signed,
    problems,
    problemCount: report.problemCount + problems.length - report.problems.length,
  };
}

function judgeHeader(
  { fleetId, instanceId, checkpoint }: ExportHeader,
  signers: readonly X509Certificate[],
): { signed: ExportReport['signed']; anchors: Anchor[]; problems: AuditProblem[] } {
  if (checkpoint === undefined) return { signed: 'none', anchors: [], problems: [] };
  const source = { file: `${JSON.stringify(checkpoint)}\n`, stored: undefined };
  const { good, otherKey, problems } = judgeCheckpoints(source, { fleetId, instanceId, signers });
  const signed = good.length > 0 ? 'good' : otherKey > 0 ? 'unknown-signer' : 'none';
  return { signed, anchors: anchorsOf(good), problems };
}

function judgeTrailer(
  trailer: ExportTrailer | undefined,
  { head, rows }: ChainReport,
  cut: (message: string) => void,
): void {
  const end = formatHead(head);
  if (trailer === undefined) cut(`the file ends with row ${head.seq} and has no trailer: it was cut`);
  else if (trailer.rows !== rows) cut(`the trailer says ${trailer.rows} rows, the file has ${rows}`);
  else if (trailer.head !== end) cut(`the trailer says ${trailer.head}, the rows end with ${end}`);
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function headerOf(value: Record<string, unknown> | undefined): ExportHeader | undefined {
  const isText = (name: string): boolean => typeof value?.[name] === 'string';
  if (value?.['kind'] !== 'header' || value['version'] !== 1) return undefined;
  return ['fleetId', 'instanceId', 'after'].every(isText) ? (value as unknown as ExportHeader) : undefined;
}

function entryOf(value: Record<string, unknown> | undefined): RawEntry | undefined {
  if (value?.['kind'] !== 'entry') return undefined;
  const { seq, atMs, hash } = value;
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(atMs)) return undefined;
  if (typeof hash !== 'string' || !hashPattern.test(hash)) return undefined;
  const texts = auditFields.filter((field) => field !== 'seq' && field !== 'atMs');
  if (!texts.every((field) => typeof value[field] === 'string')) return undefined;
  return { ...(value as Record<(typeof texts)[number], string>), seq: String(seq), atMs: String(atMs), hash };
}
