import type { CompiledNode } from '../evaluate.ts';
import { describe, judge, unknownDevice, type Explanation } from '../explain.ts';
import type { Selector } from '../selector.ts';
import { momentFor, selectSet, type Question } from './execute.ts';
import type { FleetIndex } from './fleet-index.ts';

/**
 * As explainSelector does, counted by the plan's own sets. Each part is counted by itself, among `within`.
 * @throws FlotillaError `usage`, when `deviceId` is not among them
 */
export function explainPlan(
  selector: Selector,
  index: FleetIndex,
  { deviceId, ...asked }: Question & { deviceId?: string | undefined },
): Explanation {
  const explanation = describe(selector.compiled);
  count(index, selector.compiled, explanation, asked);
  if (deviceId === undefined) return explanation;
  const number = index.numberOf(deviceId);
  if (number === undefined || !(asked.within ?? index.all).has(number)) throw unknownDevice(deviceId);
  judge(selector.compiled, explanation, index.targetOf(number)!, momentFor(index, asked));
  return explanation;
}

function count(index: FleetIndex, compiled: CompiledNode, explanation: Explanation, asked: Question): void {
  explanation.matched = selectSet(index, compiled, asked).size;
  for (const [at, child] of compiled.children.entries()) count(index, child, explanation.children[at]!, asked);
}
