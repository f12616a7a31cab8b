/**
 * The tree of a selector: plain data, no positions, no compiled parts. Two texts with the same meaning for the
 * parser (`( a )` and `a`) give the same tree, and `format` prints a tree so that it parses to itself.
 */

export type SelectorNode = OperatorNode | NotNode | GroupNode | Term;

/** Always two operands or more; the parser flattens `a and b and c`, never across parentheses. */
export interface OperatorNode {
  kind: 'and' | 'or';
  operands: SelectorNode[];
}

export interface NotNode {
  kind: 'not';
  operand: SelectorNode;
}

/** `N@`. The group's own tree, always an operand of its own: what stands around it never reaches inside. */
export interface GroupNode {
  kind: 'group';
  name: string;
  operand: SelectorNode;
}

export type Term = IdGlobTerm | IdRegexTerm | IdListTerm | FactTerm | ComparisonTerm | AddressTerm | SampleTerm;

/** A bare word. `pattern` is in the glob dialect of glob.ts. */
export interface IdGlobTerm {
  kind: 'id-glob';
  pattern: string;
}

/** `E@`. */
export interface IdRegexTerm {
  kind: 'id-regex';
  source: string;
}

/** `L@`. Exact ids in the order written, without empty members. */
export interface IdListTerm {
  kind: 'id-list';
  ids: string[];
}

/**
 * `G@` and `P@` (grains), `I@` and `J@` (tags). `levels` holds the parts between delimiters, at least two: keys,
 * then a value. Which part ends the keys is open until a device is seen, because values hold delimiters too
 * (`G@mac:02:00:*`). Keys are globs; the value is a glob or a regex.
 */
export interface FactTerm {
  kind: 'fact';
  from: FactSource;
  by: 'glob' | 'regex';
  delimiter: string;
  levels: string[];
}

export type FactSource = 'grains' | 'tags';

/**
 * `G@fw:version:>=2.1.0 <3`, and `I@` likewise. Keys are globs, as in a fact; one value must satisfy every sign but
 * `!=`, which no value may break: a list that holds the value is not "unequal" because of another member.
 */
export interface ComparisonTerm {
  kind: 'comparison';
  from: FactSource;
  delimiter: string;
  keys: string[];
  comparisons: Comparison[];
}

export interface Comparison {
  sign: ComparisonSign;
  /** `age`: the time since the date that the fact holds. */
  of: 'value' | 'age';
  /** Plain text: a number, a version, a date, a duration; for `!=` any text. */
  operand: string;
}

export type ComparisonSign = '<' | '<=' | '>' | '>=' | '!=';

/** `%10@salt`, `#50@salt`: devices drawn by a stable hash of salt and id. */
export interface SampleTerm {
  kind: 'sample';
  by: 'percent' | 'count';
  amount: number;
  salt: string;
}

/** `S@`. `network` is normalised text: `10.1.1.10`, `10.1.0.0/16`, `2001:db8::/32`. */
export interface AddressTerm {
  kind: 'address';
  network: string;
}
