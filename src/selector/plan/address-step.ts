import { parseNetwork } from '../address.ts';
import type { AddressTerm } from '../ast.ts';
import { columnStep, type ColumnTest } from './column-step.ts';
import type { FactIndex } from './fact-index.ts';
import { testEffort, type Step } from './step.ts';

/** The grains that hold addresses: a text, or a list of texts. */
const addressGrains = ['ipv4', 'ipv6'];

export function bindAddress(grains: FactIndex, term: AddressTerm): Step {
  const network = parseNetwork(term.network);
  if (typeof network === 'string') throw new Error(`the parser let ${term.network} through: ${network}`);
  const tests = addressGrains.flatMap((name): ColumnTest[] => {
    const column = grains.root.children.get(name)?.column;
    if (column === undefined) return [];
    const effort = column.distinct * testEffort.text;
    return [{ kind: 'code', column, test: column.addresses.testFor(network), effort }];
  });
  return columnStep(tests);
}
