import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contains, parseAddress, parseNetwork } from '../../../../src/selector/address.ts';
import { compileAddressTest } from '../../../../src/selector/plan/address-test.ts';

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

it('agrees with the parser about every text', () => {
  const networks = [
    '0.0.0.0/0',
    '10.0.0.0/8',
    '10.1.2.3',
    '255.255.255.255',
    '128.0.0.0/1',
    '::/0',
    '2001:db8::/32',
    '::1',
  ];
  const property = fc.property(fc.constantFrom(...networks), address, (source, text) => {
    const network = parseNetwork(source);
    if (typeof network === 'string') throw new Error(network);
    const parsed = parseAddress(text);
    expect(compileAddressTest(network)(text)).toBe(parsed !== undefined && contains(network, parsed));
  });
  fc.assert(property, { numRuns: 5_000 });
});
