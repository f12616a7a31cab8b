import { parseNetwork } from '../address.ts';
import type { AddressTerm } from '../ast.ts';
import { compileAddressTest } from './address-test.ts';
import { columnStep, type ColumnTest } from './column-step.ts';
import type { FactIndex } from './fact-index.ts';
import { testEffort, type Step } from './step.ts';

/** The grains that hold addresses: a text, or a list of texts. */
const addressGrains = ['ipv4', 'ipv6'];

export function bindAddress(grains: FactIndex, term: AddressTerm): Step {
  const network = parseNetwork(term.network);
  if (typeof network === 'string') throw new Error(`the parser let ${term.network} through: ${network}`);
  const isInside = compileAddressTest(network);
  const test = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.some((member) => typeof member === 'string' && isInside(member))
      : typeof value === 'string' && isInside(value);
  const tests = addressGrains.flatMap((name): ColumnTest[] => {
    const column = grains.root.children.get(name)?.column;
    return column === undefined ? [] : [{ kind: 'test', column, test, effort: column.distinct * testEffort.text }];
  });
  return columnStep(tests);
}
