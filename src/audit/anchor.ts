/** Which signed heads count, and what is wrong with the others. */
import type { X509Certificate } from 'node:crypto';
import { judgeCheckpoint, parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import type { AuditProblem } from './problem.ts';
import type { Anchor } from './verify-chain.ts';

export interface CheckpointSource {
  /** The file of heads, or undefined when there is none. */
  file: string | undefined;
  /** The newest head as the database itself has it. */
  stored: string | undefined;
}

export interface Owner {
  fleetId: string;
  instanceId: string;
  /** Certificates of the coordinator that this fleet's authority has signed. */
  signers: readonly X509Certificate[];
}

export interface JudgedCheckpoints {
  good: Checkpoint[];
  /** Signed by a key that the coordinator had before: neither good nor bad. */
  otherKey: number;
  problems: AuditProblem[];
}

export function judgeCheckpoints({ file, stored }: CheckpointSource, owner: Owner): JudgedCheckpoints {
  const judged: JudgedCheckpoints = { good: [], otherKey: 0, problems: [] };
  let newest = 0;
  let newestOther = 0;
  const lines = (file ?? '').split('\n');
  lines.pop(); // what has no line feed was cut off by a crash while it was written
  for (const [index, line] of lines.entries()) {
    const found = judge(line, `line ${index + 1} of the signed heads`, owner, judged);
    if (found?.verdict === 'good') newest = Math.max(newest, found.seq);
    else if (found !== undefined) newestOther = Math.max(newestOther, found.seq);
  }
  const report = (seq: number, message: string): void => void judged.problems.push({ kind: 'bad-head', seq, message });
  const inDatabase = stored === undefined ? undefined : judge(stored, 'the signed head in the database', owner, judged);
  if (inDatabase?.verdict === 'good' && inDatabase.seq > newest) {
    const seen = file === undefined ? 'is gone' : `ends with row ${newest}`;
    const { seq } = inDatabase;
    report(seq, `the file of signed heads ${seen}, but the database has a signed head of row ${seq}`);
  }
  // A coordinator with a new key signs at once: a head of an earlier one is never the newest.
  if (judged.good.length > 0 && newestOther > newest) {
    report(newestOther, `the newest signed head, of row ${newestOther}, is of another key than the coordinator's`);
  }
  return judged;
}

/** What it is worth; undefined, with a problem, for what is none of ours. */
function judge(
  line: string,
  place: string,
  owner: Owner,
  judged: JudgedCheckpoints,
): { seq: number; verdict: 'good' | 'other-key' } | undefined {
  const checkpoint = parseCheckpoint(line);
  const bad = (seq: number, what: string): undefined =>
    void judged.problems.push({ kind: 'bad-head', seq, message: `${place} ${what}` });
  if (checkpoint === undefined) return bad(0, 'is damaged');
  const { seq, fleetId, instanceId } = checkpoint;
  if (fleetId !== owner.fleetId) return bad(seq, `is of another fleet: ${fleetId}`);
  if (instanceId !== owner.instanceId) return bad(seq, `is of another database: ${instanceId}`);
  const verdict = judgeCheckpoint(checkpoint, owner.signers);
  if (verdict === 'bad') return bad(seq, 'was not signed by the key that it names');
  if (verdict === 'good') judged.good.push(checkpoint);
  else judged.otherKey += 1;
  return { seq, verdict };
}

export function anchorsOf(checkpoints: readonly Checkpoint[]): Anchor[] {
  return checkpoints.map(({ seq, hash, atMs }) => ({
    seq,
    hash,
    source: `the head signed at ${new Date(atMs).toISOString()}`,
  }));
}

/** A chain with rows needs one signed head at the least: without one, all of it may have been made up. */
export function unanchored(rows: number, { good, otherKey }: JudgedCheckpoints): AuditProblem[] {
  if (rows === 0 || good.length > 0) return [];
  const seen =
    otherKey === 0
      ? 'there is no signed head'
      : `all ${otherKey} signed heads are of another key than the coordinator has now: start it, it signs anew`;
  return [{ kind: 'unanchored', seq: 0, message: `${seen}; cut or made-up rows could not be told` }];
}
