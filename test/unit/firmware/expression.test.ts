import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateExpression, parseCInteger } from '../../../src/firmware/config/expression.ts';

describe('define-eval', () => {
  it.each([
    ['10 + 2 * (3 + 4)', 24n],
    ['2 ^ 10 / 4 - -1', 257n],
    ['1K + 1b + 2w + 3c + 1kB + 1M + 1MB', 2051119n],
    ['0x10 + 010 + 0x20', 56n],
    ['-2^2', -4n],
    ['2^3^2', 512n],
    ['2^63', -(1n << 63n)],
    ['7 / -2', -3n],
    ['(1 + 1) K', 2048n],
    ['1KK', 1048576n],
    ['9223372036854775807 + 1', -(1n << 63n)],
    ['- - 3', 3n],
  ])('%s is %s', (text, value) => {
    expect(evaluateExpression(text)).toBe(value);
  });

  it.each(['', '1 +', '1 / 0', '(1', '1)', '09', '1k', '5 % 2', '2^64', '2^-1', 'a', '1 2', `${'('.repeat(40)}1`])(
    'refuses %j',
    (text) => {
      expect(evaluateExpression(text)).toBeUndefined();
    },
  );

  it('agrees with BigInt on generated sums and products', () => {
    const number = fc.bigInt({ min: 0n, max: 1n << 40n });
    const operator = fc.constantFrom('+', '-', '*');
    fc.assert(
      fc.property(number, fc.array(fc.tuple(operator, number), { maxLength: 6 }), (first, rest) => {
        const text = [String(first), ...rest.map(([sign, value]) => `${sign} ${value}`)].join(' ');
        // oxlint-disable-next-line no-eval -- the oracle: JavaScript's own grammar over BigInt literals
        const oracle = BigInt.asIntN(64, (0, eval)(text.replace(/\d+/g, '$&n')) as bigint);
        expect(evaluateExpression(text)).toBe(oracle);
      }),
    );
  });
});

describe('numbers in C notation', () => {
  it('takes decimal, hexadecimal and octal', () => {
    expect(['0', '17', '0x1F', '017'].map(parseCInteger)).toEqual([0n, 17n, 31n, 15n]);
  });
  it('takes nothing else', () => {
    expect(['', '-1', '+1', '08', '0x', '1.5', ' 1', '1e3'].map(parseCInteger)).toEqual(Array(8).fill(undefined));
  });
});
