import { FlotillaError, type ErrorDetail } from '../error.ts';
import { nearest } from '../nearest.ts';
import type { SelectorNode } from './ast.ts';
import { tokenize } from './lexer.ts';
import { selectorLimit } from './limit.ts';
import { parseExpression, type RefuseGroup } from './parser.ts';

/** Where `N@` finds what a name stands for. */
export interface GroupSource {
  /** The expression of a group, or undefined. */
  expression(name: string): string | undefined;
  /** For advice after a slip. */
  names(): Iterable<string>;
}

export const noGroups: GroupSource = { expression: () => undefined, names: () => [] };

/** A group that was read, and what it weighs. */
interface ReadGroup {
  operand: SelectorNode;
  /** Nodes of the tree with every group in it written out. */
  size: number;
  /** Groups inside groups, itself included. */
  depth: number;
}

/**
 * Parses an expression and every group that it names, each once. A group is a tree of its own under its name, so
 * nothing around it reaches into it.
 * @param within the group that is being defined, if one is: naming itself is a loop
 * @throws FlotillaError as parseExpression; the position is in `text`, whichever group is at fault
 */
export function parseWithGroups(text: string, source: GroupSource, within?: string): SelectorNode {
  return new GroupReader(source).read(text, within === undefined ? [] : [within]).operand;
}

/** The groups that an expression names itself, each once; of a malformed one, none. */
export function groupsNamedIn(text: string): string[] {
  try {
    const names = tokenize(text).map((token) =>
      token.kind === 'word' && token.prefix?.letter === 'N' ? token.characters.map(({ value }) => value).join('') : '',
    );
    return [...new Set(names.filter((name) => name !== ''))];
  } catch (error) {
    if (error instanceof FlotillaError) return [];
    throw error;
  }
}

class GroupReader {
  readonly #source: GroupSource;
  readonly #known = new Map<string, ReadGroup>();

  constructor(source: GroupSource) {
    this.#source = source;
  }

  /** @param path the groups that led here, outermost first */
  read(text: string, path: readonly string[]): ReadGroup {
    let depth = 0;
    let innerSize = 0;
    const operand = parseExpression(text, (name, refuse) => {
      const group = this.#expand(name, path, refuse);
      depth = Math.max(depth, group.depth);
      innerSize += group.size;
      if (path.length + depth > selectorLimit.maxGroupDepth) {
        throw refuse('too-deep', 'too many groups inside each other', {
          seen: [...path, name].join(' → '),
          expected: `at most ${selectorLimit.maxGroupDepth}`,
          suggestion: 'Name the inner groups directly.',
        });
      }
      if (innerSize > selectorLimit.maxNodes) {
        throw refuse('too-large', `with its groups written out the selector is too large`, {
          expected: `at most ${selectorLimit.maxNodes} terms and operators`,
          suggestion: 'Tag the devices (`flotilla device tag`) and select by the tag.',
        });
      }
      return group.operand;
    });
    return { operand, size: innerSize + countNodes(operand), depth: depth + 1 };
  }

  #expand(name: string, path: readonly string[], refuse: RefuseGroup): ReadGroup {
    if (path.includes(name)) throw loop([...path.slice(path.indexOf(name)), name], refuse);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const expression = this.#source.expression(name);
    if (expression === undefined) throw this.#unknown(name, refuse);
    if (path.length >= selectorLimit.maxGroupDepth) return { operand: { kind: 'id-list', ids: [] }, size: 0, depth: 1 };
    const group = readInside(name, () => this.read(expression, [...path, name]), refuse);
    this.#known.set(name, group);
    return group;
  }

  #unknown(name: string, refuse: RefuseGroup): Error {
    const names = [...this.#source.names()];
    const meant = nearest(name, names);
    const shown = names.slice(0, 10).join(', ');
    return refuse('unknown-group', `there is no group ${name}`, {
      seen: name,
      expected: names.length === 0 ? 'a group; there is none yet' : shown + (names.length > 10 ? ', …' : ''),
      suggestion: meant === undefined ? 'flotilla group list' : `Write N@${meant}.`,
    });
  }
}

function loop(path: readonly string[], refuse: RefuseGroup): Error {
  return refuse('group-loop', `the groups lead in a circle: ${path.join(' → ')}`, {
    seen: path.join(' → '),
    expected: 'groups that end in terms',
    suggestion: `Change one of them: flotilla group show ${path[0]}`,
  });
}

/** What is wrong inside is told where the group stands, because that is the text that the reader knows. */
function readInside(name: string, read: () => ReadGroup, refuse: RefuseGroup): ReadGroup {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    const { seen, expected, suggestion } = error.detail;
    const detail: ErrorDetail = {
      ...(seen === undefined ? {} : { seen }),
      ...(expected === undefined ? {} : { expected }),
      ...(suggestion === undefined ? {} : { suggestion }),
      cause: error,
    };
    const code = error.code.replace(/^selector-/u, '');
    throw refuse(code, code === 'group-loop' ? error.message : `in the group ${name}: ${error.message}`, detail);
  }
}

/** Without what stands under groups. */
function countNodes(node: SelectorNode): number {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.operands.reduce((sum, operand) => sum + countNodes(operand), 1);
    case 'not':
      return 1 + countNodes(node.operand);
    default:
      return 1;
  }
}
