/** The one answer to "is the log whole?", of a database: rows, signed heads, and heads that somebody has kept. */
import type { X509Certificate } from 'node:crypto';
import { anchorsOf, judgeCheckpoints, unanchored, type CheckpointSource } from './anchor.ts';
import type { AuditHead, RawEntry } from './entry.ts';
import type { AuditProblem } from './problem.ts';
import { ChainVerifier, type Anchor, type ChainReport } from './verify-chain.ts';

export interface LogSource {
  fleetId: string;
  instanceId: string;
  checkpoints: CheckpointSource;
  rows: AsyncIterable<readonly RawEntry[]> | Iterable<readonly RawEntry[]>;
}

export interface LogReport extends ChainReport {
  /** Signed heads that were believed, and those of a key that the coordinator had before. */
  signed: number;
  otherKey: number;
}

/** @param unreadable what an error of reading says; anything that it does not know is thrown on */
export async function verifyLog(
  source: LogSource,
  signers: readonly X509Certificate[],
  kept: readonly Anchor[],
  unreadable: (error: unknown) => string | undefined,
): Promise<LogReport> {
  const judged = judgeCheckpoints(source.checkpoints, { ...source, signers });
  const verifier = new ChainVerifier([...anchorsOf(judged.good), ...kept]);
  try {
    for await (const page of source.rows) for (const entry of page) verifier.push(entry);
  } catch (error) {
    const reason = unreadable(error);
    if (reason === undefined) throw error;
    verifier.unreadable(reason);
  }
  const report = verifier.end();
  const others: AuditProblem[] = [...judged.problems, ...unanchored(report.rows, judged), ...empty(report)];
  return {
    ...report,
    signed: judged.good.length,
    otherKey: judged.otherKey,
    problems: [...report.problems, ...others],
    problemCount: report.problemCount + others.length,
  };
}

/** The log begins when the database is made: one without rows was emptied. */
function empty({ rows, problems }: ChainReport): AuditProblem[] {
  if (rows > 0 || problems.length > 0) return [];
  return [{ kind: 'missing', seq: 1, message: 'row 1 is missing: the log has no rows at all' }];
}

export function keptAnchor(head: AuditHead): Anchor {
  return { ...head, source: 'the head that was kept' };
}
