import { contains, parseAddress, parseNetwork, type Network } from './address.ts';
import type { AddressTerm, ComparisonTerm, FactTerm, SampleTerm, SelectorNode, Term } from './ast.ts';
import { compileComparison, type ComparisonPattern } from './comparison.ts';
import { compileFact, type FactPattern } from './fact-pattern.ts';
import { hasFact } from './fact-walk.ts';
import { compileGlob } from './glob.ts';
import { compileRegex } from './regex.ts';
import { drawCount, sharesDraw } from './sample.ts';

/** What a selector sees of a device. `grains` come from the device, `tags` from operators. */
export interface Target {
  id: string;
  grains: Record<string, unknown>;
  tags: Record<string, unknown>;
}

/** What a verdict depends on besides the device itself. */
export interface Moment {
  nowMs: number;
  /** Who is drawn by `#50@`, out of all devices that were to choose from. */
  drawn(term: SampleTerm): ReadonlySet<string>;
}

export type Predicate = (target: Target, moment: Moment) => boolean;

/** Draws each sample once, when it is first asked for. @param ids every device to choose from */
export function momentOf(nowMs: number, ids: () => readonly string[]): Moment {
  const draws = new Map<string, ReadonlySet<string>>();
  return {
    nowMs,
    drawn: (term) => {
      const key = `${term.amount}@${term.salt}`;
      const known = draws.get(key) ?? drawCount(term, ids());
      draws.set(key, known);
      return known;
    },
  };
}

/** A node with its test; `explain` and `match` use the very same tests. */
export interface CompiledNode {
  node: SelectorNode;
  test: Predicate;
  children: CompiledNode[];
  /** Fact terms only. */
  fact?: FactPattern;
  /** Comparisons only. */
  comparison?: ComparisonPattern;
}

/** Compiles a parsed tree. Never throws for a tree that the parser made; the tests never throw. */
export function compileTree(root: SelectorNode): CompiledNode {
  return compileNode(root, new Map());
}

/** @param known the trees of groups that were compiled already: a group may stand in many places */
function compileNode(node: SelectorNode, known: Map<SelectorNode, CompiledNode>): CompiledNode {
  const compileChild = (child: SelectorNode): CompiledNode => compileNode(child, known);
  switch (node.kind) {
    case 'and': {
      const children = node.operands.map(compileChild);
      return { node, children, test: (target, moment) => children.every((child) => child.test(target, moment)) };
    }
    case 'or': {
      const children = node.operands.map(compileChild);
      return { node, children, test: (target, moment) => children.some((child) => child.test(target, moment)) };
    }
    case 'not': {
      const child = compileChild(node.operand);
      return { node, children: [child], test: (target, moment) => !child.test(target, moment) };
    }
    case 'group': {
      const child = known.get(node.operand) ?? compileChild(node.operand);
      known.set(node.operand, child);
      return { node, children: [child], test: child.test };
    }
    case 'fact':
      return compileFactTerm(node);
    case 'comparison':
      return compileComparisonTerm(node);
    default:
      return { node, children: [], test: compileTerm(node) };
  }
}

function compileFactTerm(node: FactTerm): CompiledNode {
  const fact = compileFact(node);
  return { node, children: [], fact, test: (target, { nowMs }) => hasFact(target[node.from], fact, nowMs) };
}

function compileComparisonTerm(node: ComparisonTerm): CompiledNode {
  const comparison = compileComparison(node);
  const { wanted, unwanted } = comparison;
  const test: Predicate = (target, { nowMs }) =>
    hasFact(target[node.from], wanted, nowMs) &&
    (unwanted === undefined || !hasFact(target[node.from], unwanted, nowMs));
  return { node, children: [], comparison, test };
}

function compileTerm(term: Exclude<Term, FactTerm | ComparisonTerm>): Predicate {
  switch (term.kind) {
    case 'id-glob': {
      const matches = compileGlob(term.pattern);
      return (target) => matches(target.id);
    }
    case 'id-regex': {
      const matches = compileRegex(term.source, { ignoreCase: false });
      return (target) => matches(target.id);
    }
    case 'id-list': {
      const ids = new Set(term.ids);
      return (target) => ids.has(target.id);
    }
    case 'address':
      return compileAddress(term);
    case 'sample':
      return term.by === 'percent'
        ? (target) => sharesDraw(term, target.id)
        : (target, moment) => moment.drawn(term).has(target.id);
  }
}

function compileAddress(term: AddressTerm): Predicate {
  const network = parseNetwork(term.network);
  if (typeof network === 'string') throw new Error(`the parser let ${term.network} through: ${network}`);
  return (target) => addressesOf(target).some((address) => isInside(network, address));
}

/** Every address that a device reports, as written. */
export function addressesOf(target: Target): string[] {
  return [target.grains['ipv4'], target.grains['ipv6']].flat().filter((address) => typeof address === 'string');
}

function isInside(network: Network, text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && contains(network, address);
}
