import type { Comparison, ComparisonTerm } from './ast.ts';
import { readKey, type FactPattern, type ValuePredicate } from './fact-pattern.ts';
import { textOfFact } from './fact-text.ts';
import { compareQuantity, readDuration, readQuantity, type Quantity } from './quantity.ts';

/** A device matches when a value of it is wanted and none is unwanted. */
export interface ComparisonPattern {
  wanted: FactPattern;
  /** Only with `!=`. */
  unwanted?: FactPattern;
}

export function compileComparison({ keys, comparisons }: ComparisonTerm): ComparisonPattern {
  // `>=2.1.0 <3` speaks of versions throughout, though 3 alone would be a number.
  const asVersions = comparisons.some(({ of, operand }) => of === 'value' && isCertainVersion(operand));
  const orders = comparisons.filter(({ sign }) => sign !== '!=').map((one) => orderTest(one, asVersions));
  const equals = comparisons.filter(({ sign }) => sign === '!=').map((one) => equalityTest(one.operand, asVersions));
  const wanted = patternOf(keys, (value, nowMs) => isLeaf(value) && orders.every((test) => test(value, nowMs)));
  if (equals.length === 0) return { wanted };
  return { wanted, unwanted: patternOf(keys, (value, nowMs) => equals.some((test) => test(value, nowMs))) };
}

/** The last level is a value and never a key, so that a map never satisfies a comparison by having a key. */
function patternOf(keys: string[], test: ValuePredicate): FactPattern {
  const patterns = keys.map(readKey);
  return {
    keys: [...patterns, { kind: 'none' }],
    values: [...keys.map(() => undefined), test],
    names: [],
    isAmbiguous:
      patterns.some((key) => key.kind === 'any-depth') || patterns.filter((key) => key.kind === 'any').length > 1,
  };
}

function isLeaf(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

function isCertainVersion(text: string): boolean {
  return readQuantity(text).version?.isCertain === true;
}

function orderTest({ sign, of, operand }: Comparison, asVersions: boolean): ValuePredicate {
  const holds = signTest(sign);
  if (of === 'age') {
    const limitMs = readDuration(operand);
    return (value, nowMs) => {
      const { instantMs } = readQuantity(value, nowMs);
      return instantMs !== undefined && limitMs !== undefined && holds(nowMs - instantMs - limitMs);
    };
  }
  const right = readQuantity(operand);
  return (value, nowMs) => {
    const difference = compareQuantity(readQuantity(value, nowMs), right, asVersions);
    return difference !== undefined && holds(difference);
  };
}

function signTest(sign: Comparison['sign']): (difference: number) => boolean {
  switch (sign) {
    case '<':
      return (difference) => difference < 0;
    case '<=':
      return (difference) => difference <= 0;
    case '>':
      return (difference) => difference > 0;
    case '>=':
      return (difference) => difference >= 0;
    case '!=':
      return (difference) => difference !== 0;
  }
}

function equalityTest(operand: string, asVersions: boolean): ValuePredicate {
  const right: Quantity = readQuantity(operand);
  const text = operand.toLowerCase();
  return (value) =>
    textOfFact(value).toLowerCase() === text || compareQuantity(readQuantity(value), right, asVersions) === 0;
}
