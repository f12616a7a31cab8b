import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contains, parseAddress, parseNetwork } from '../../../../src/selector/address.ts';
import { AddressTable } from '../../../../src/selector/plan/address-table.ts';
import { readAddress } from '../../../../src/selector/plan/address-words.ts';

const part = fc.oneof(
  fc.integer({ min: 0, max: 300 }).map(String),
  fc.constantFrom('00', '01', '', '0x1', ' 1', '1e1'),
);
const dotted = fc.array(part, { minLength: 2, maxLength: 5 }).map((parts) => parts.join('.'));
const group = fc.oneof(
  fc.integer({ min: 0, max: 0x1ffff }).map((value) => value.toString(16)),
  fc.constantFrom('', 'G', '00000'),
);
const coloned = fc
  .tuple(fc.array(group, { maxLength: 9 }), fc.option(dotted))
  .map(([groups, tail]) => [...groups, ...(tail === null ? [] : [tail])].join(':'));
const address = fc.oneof(dotted, coloned, fc.ipV4(), fc.ipV6(), fc.string());

it('reads what the parser reads, to the same value', () => {
  const property = fc.property(address, (text) => {
    const parsed = parseAddress(text);
    const words = readAddress(text);
    expect(words?.length).toBe(parsed && (parsed.family === 4 ? 1 : 4));
    expect(words?.reduce((value, word) => value * 2n ** 32n + BigInt(word), 0n)).toBe(parsed?.value);
  });
  fc.assert(property, { numRuns: 10_000 });
});

it('knows who is in a network, also after values have changed places', () => {
  const networks = ['0.0.0.0/0', '10.0.0.0/8', '10.1.2.3', '128.0.0.0/1', '::/0', '2001:db8::/32', '::1', '8000::/1'];
  const value = fc.oneof(address, fc.array(fc.oneof(address, fc.constant(1), fc.constant(null)), { maxLength: 4 }));
  const property = fc.property(
    fc.constantFrom(...networks),
    fc.array(fc.tuple(fc.nat({ max: 200 }), value), { maxLength: 60 }),
    (source, puts) => {
      const network = parseNetwork(source);
      if (typeof network === 'string') throw new Error(network);
      const values = new Map<number, unknown>();
      const table = new AddressTable((code) => values.get(code));
      for (const [code, next] of puts) {
        table.forget(code);
        values.set(code, next);
        const texts = [next].flat().filter((text) => typeof text === 'string');
        const parsed = texts.flatMap((text) => parseAddress(text) ?? []);
        expect(table.testFor(network)(code)).toBe(parsed.some((one) => contains(network, one)));
      }
    },
  );
  fc.assert(property, { numRuns: 500 });
});
