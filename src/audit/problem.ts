/** What is wrong with a chain, and where. */
export const auditProblems = {
  /** The row is not what was written: a field, its hash or its link was changed. */
  changed: 'changed',
  /** Rows `seq` to `to` are not there, and a later one is. */
  missing: 'missing',
  /** The row was written as row `was`, and stands here now. */
  moved: 'moved',
  /** The row is whole, and follows another row than the one that stands before it. */
  unlinked: 'unlinked',
  /** The log ends with row `seq`, and a signed or kept head says that it went on. */
  truncated: 'truncated',
  /** Row `seq` is whole, and another one than a signed or kept head says. */
  rewritten: 'rewritten',
  /** No signed head counts: what is there may be the beginning of more, or made up from the first row on. */
  unanchored: 'unanchored',
  /** A signed head is not one: damaged, of another fleet, or signed by nobody we know. */
  'bad-head': 'bad-head',
  /** The rows can't be read from here on. */
  unreadable: 'unreadable',
} as const;
export type AuditProblemKind = keyof typeof auditProblems;

export interface AuditProblem {
  kind: AuditProblemKind;
  /** The row; 0 where there is none to name. */
  seq: number;
  /** The last of `missing` rows. */
  to?: number;
  /** Of `moved`: under which number it was written. */
  was?: number;
  /** One sentence that names the place. */
  message: string;
}
