/**
 * The selector language: which devices does an expression mean? Salt's compound syntax, parsed and never evaluated
 * as code, failing closed: any malformed term makes the whole expression an error with a position. Pure: no IO, no
 * clock. lexer → parser (term) → ast → evaluate; format and explain print it. docs/selectors.md is the reference.
 */
export { momentOf, type Moment, type Predicate, type Target } from './evaluate.ts';
export type { Comparison, SampleTerm, SelectorNode } from './ast.ts';
export type { FactRecord } from './fact-text.ts';
export { engines, type Engine } from './engine.ts';
export { completeSelector, type CompletionFleet } from './complete.ts';
export { distributionOf, parsePlace, type Distribution, type FactPlace } from './distribution.ts';
export { groupsNamedIn, noGroups, type GroupSource } from './group.ts';
export { explainSelector, type Explanation } from './explain.ts';
export { selectorLimit } from './limit.ts';
export { isGroupName } from './term.ts';
export {
  compileSelector,
  formatSelector,
  matches,
  parseGroup,
  parseSelector,
  selectIds,
  Selector,
} from './selector.ts';
