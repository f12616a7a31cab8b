import { contains, parseAddress, parseNetwork, type Network } from './address.ts';
import type { AddressTerm, FactTerm, SelectorNode, Term } from './ast.ts';
import { compileFact, type FactPattern } from './fact-pattern.ts';
import { hasFact } from './fact-walk.ts';
import { compileGlob } from './glob.ts';
import { compileRegex } from './regex.ts';

/** What a selector sees of a device. `grains` come from the device, `tags` from operators. */
export interface Target {
  id: string;
  grains: Record<string, unknown>;
  tags: Record<string, unknown>;
}

export type Predicate = (target: Target) => boolean;

/** A node with its test; `explain` and `match` use the very same tests. */
export interface CompiledNode {
  node: SelectorNode;
  test: Predicate;
  children: CompiledNode[];
  /** Fact terms only. */
  fact?: FactPattern;
}

/** Compiles a parsed tree. Never throws for a tree that the parser made; the tests never throw. */
export function compileNode(node: SelectorNode): CompiledNode {
  switch (node.kind) {
    case 'and': {
      const children = node.operands.map(compileNode);
      return { node, children, test: (target) => children.every((child) => child.test(target)) };
    }
    case 'or': {
      const children = node.operands.map(compileNode);
      return { node, children, test: (target) => children.some((child) => child.test(target)) };
    }
    case 'not': {
      const child = compileNode(node.operand);
      return { node, children: [child], test: (target) => !child.test(target) };
    }
    case 'fact':
      return compileFactTerm(node);
    default:
      return { node, children: [], test: compileTerm(node) };
  }
}

function compileFactTerm(node: FactTerm): CompiledNode {
  const fact = compileFact(node);
  return { node, children: [], fact, test: (target) => hasFact(target[node.from], fact) };
}

function compileTerm(term: Exclude<Term, FactTerm>): Predicate {
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
