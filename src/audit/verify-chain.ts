/** Goes through a chain row by row and finds what was done to it. Memory is bounded, however long and however broken. */
import { auditFields, emptyHead, firstPrev, hashEntry, hashPattern, type AuditHead, type RawEntry } from './entry.ts';
import type { AuditProblem } from './problem.ts';

/** An end that the chain must have passed through: signed by the coordinator, or kept by somebody. */
export interface Anchor extends AuditHead {
  /** Who says so, for the sentence: `the head signed at …`, `--head`. */
  source: string;
}

export interface ChainReport {
  rows: number;
  /** The last row that is there. */
  head: AuditHead;
  /** The last anchor that agrees. */
  anchored: AuditHead;
  /** Where it goes wrong first, and further places, up to a bound. */
  problems: AuditProblem[];
  /** All that were found. */
  problemCount: number;
}

const maxProblems = 100;
/** Damaged rows that are compared with each other to tell a swap from a change. */
const maxSuspects = 500;
/** How far a row that was renumbered is looked for. */
const maxShift = 16;

interface Suspect {
  at: number;
  entry: RawEntry;
  stored: string;
}

/** @param start the head in front of the first row: of an export that begins later than row 1 */
export class ChainVerifier {
  readonly #anchors = new Map<number, Anchor[]>();
  #problems: AuditProblem[] = [];
  #problemCount = 0;
  #rows = 0;
  #head: AuditHead;
  #anchored: AuditHead = emptyHead;
  /** What the next row may name as the hash before it. */
  #links: ReadonlySet<string>;
  #broken = false;
  readonly #suspects: Suspect[] = [];
  readonly #gaps: number[] = [];

  constructor(anchors: Iterable<Anchor>, start: AuditHead = { seq: 0, hash: firstPrev }) {
    for (const anchor of anchors) {
      this.#anchors.set(anchor.seq, [...(this.#anchors.get(anchor.seq) ?? []), anchor]);
    }
    this.#head = start;
    this.#links = new Set([start.hash]);
    this.#meet(start.seq, start.hash);
  }

  /** The next row, in order of its number. */
  push(entry: RawEntry): void {
    const seq = Number(textOf(entry.seq));
    const expected = this.#head.seq + 1;
    this.#rows += 1;
    if (seq > expected) this.#gap(expected, seq - 1);
    const computed = hashEntry(entry);
    const stored = textOf(entry.hash);
    const isWhole = computed === stored;
    const isLinked = this.#links.has(textOf(entry.prev));
    // The place of a change is named once: a neighbour that only shows it says nothing new.
    if (!isWhole) this.#suspect({ at: seq, entry, stored });
    else if (!isLinked && seq === expected && !this.#broken) {
      this.#report({
        kind: 'unlinked',
        seq,
        message: `row ${seq} does not follow the row ${expected - 1} that stands before it: one of both was replaced`,
      });
    }
    this.#broken = !isWhole;
    this.#links = new Set([stored, computed]);
    this.#head = { seq, hash: stored };
    this.#meet(seq, stored);
  }

  /** Reading ended here, and not because there are no more rows. */
  unreadable(reason: string): void {
    const { seq } = this.#head;
    this.#report({ kind: 'unreadable', seq, message: `no row can be read after row ${seq}: ${reason}` });
  }

  end(): ChainReport {
    this.#explainSuspects();
    const { seq } = this.#head;
    const beyond = [...this.#anchors.values()].flat().filter((anchor) => anchor.seq > seq);
    const last = beyond.toSorted((a, b) => a.seq - b.seq).at(-1);
    if (last !== undefined) {
      const rows = last.seq - seq === 1 ? `row ${last.seq} is` : `rows ${seq + 1} to ${last.seq} are`;
      this.#report({
        kind: 'truncated',
        seq,
        to: last.seq,
        message: `the log ends with row ${seq}, but ${last.source} says ${last.seq}: ${rows} cut off at the least`,
      });
    }
    return {
      rows: this.#rows,
      head: this.#head,
      anchored: this.#anchored,
      problems: this.#problems.toSorted((a, b) => a.seq - b.seq).slice(0, maxProblems),
      problemCount: this.#problemCount,
    };
  }

  #meet(seq: number, hash: string): void {
    for (const anchor of this.#anchors.get(seq) ?? []) {
      if (anchor.hash === hash) {
        this.#anchored = { seq, hash };
        continue;
      }
      const from = this.#anchored.seq + 1;
      const place = from === seq ? `row ${seq} was` : `one or more of the rows ${from} to ${seq} were`;
      this.#report({
        kind: 'rewritten',
        seq,
        message: `row ${seq} is another one than ${anchor.source} says: ${place} written anew`,
      });
    }
  }

  #gap(from: number, to: number): void {
    if (this.#gaps.length < maxSuspects) this.#gaps.push(from);
    const rows = from === to ? `row ${from} is` : `rows ${from} to ${to} are`;
    this.#report({ kind: 'missing', seq: from, to, message: `${rows} missing` });
  }

  #suspect(suspect: Suspect): void {
    if (this.#suspects.length < maxSuspects) this.#suspects.push(suspect);
    else this.#report(changed(suspect));
  }

  /** A row whose hash fits under another number was moved as it is; else something in it was changed. */
  #explainSuspects(): void {
    const places = [...this.#suspects.map(({ at }) => at), ...this.#gaps];
    for (const suspect of this.#suspects) {
      const { at, entry, stored } = suspect;
      const near = Array.from({ length: 2 * maxShift + 1 }, (_, index) => at + index - maxShift);
      const was = hashPattern.test(stored)
        ? [...new Set([...places, ...near])].find(
            (seq) => seq !== at && seq > 0 && hashEntry({ ...entry, seq: String(seq) }) === stored,
          )
        : undefined;
      this.#problems.push(
        was === undefined
          ? changed(suspect)
          : { kind: 'moved', seq: at, was, message: `row ${at} was written as row ${was}` },
      );
      this.#problemCount += 1;
    }
  }

  #report(problem: AuditProblem): void {
    this.#problemCount += 1;
    // The first places count most, and rows come in order.
    if (this.#problems.length < maxProblems) this.#problems.push(problem);
  }
}

function changed({ at, entry, stored }: Suspect): AuditProblem {
  const what = hashPattern.test(stored) ? 'does not fit its hash' : 'has no hash';
  const odd = auditFields.find((field) => typeof entry[field] !== 'string' && !isText(entry[field]));
  const place = odd === undefined ? '' : `; ${odd} is no text`;
  return { kind: 'changed', seq: at, message: `row ${at} was changed: it ${what}${place}` };
}

function isText(value: string | Uint8Array): boolean {
  return typeof value === 'string' || Buffer.from(textOf(value)).equals(value);
}

function textOf(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}
