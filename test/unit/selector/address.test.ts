import { BlockList, isIP } from 'node:net';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { contains, formatNetwork, parseAddress, parseNetwork } from '../../../src/selector/address.ts';
import { device, select } from './fleet.ts';

const v4 = fc.ipV4();
const v6 = fc.ipV6();

describe('addresses', () => {
  it('are those that node:net accepts', () => {
    const text = fc.oneof(v4, v6, fc.stringMatching(/^[0-9a-f:.]{1,20}$/u));
    fc.assert(
      fc.property(text, (address) => {
        const family = parseAddress(address)?.family ?? 0;
        expect(family).toBe(isIP(address));
      }),
      { numRuns: 5_000 },
    );
  });

  it('are inside the networks that node:net says', () => {
    const families = fc.oneof(
      fc.tuple(v4, v4, fc.integer({ min: 0, max: 32 })),
      fc.tuple(v6, v6, fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(families, fc.boolean(), ([base, other, bits], isSame) => {
        const address = parseAddress(isSame ? base : other);
        const network = parseAddress(base);
        if (address === undefined || network === undefined) throw new Error('an address was refused');
        const width = BigInt((network.family === 4 ? 32 : 128) - bits);
        const cleared = formatNetwork({ family: network.family, base: (network.value >> width) << width, bits });
        const parsed = parseNetwork(cleared);
        if (typeof parsed === 'string') throw new Error(`${cleared} was refused: ${parsed}`);
        const family = network.family === 4 ? 'ipv4' : 'ipv6';
        const list = new BlockList();
        list.addSubnet(base, bits, family);
        expect(contains(parsed, address)).toBe(list.check(isSame ? base : other, family));
      }),
      { numRuns: 1_000 },
    );
  });

  it('print in the form of RFC 5952 and parse back', () => {
    expect(['2001:DB8:0:0:1:0:0:1', '::', '0:0:0:0:0:0:0:1', '1:0:2::', '::ffff:192.0.2.1'].map(canonical)).toEqual([
      '2001:db8::1:0:0:1',
      '::',
      '::1',
      '1:0:2::',
      '::ffff:c000:201',
    ]);
    fc.assert(
      fc.property(fc.oneof(v4, v6), (address) => {
        expect(canonical(canonical(address))).toBe(canonical(address));
      }),
    );
  });

  it('accept a netmask or a hostmask, and refuse one with holes', () => {
    expect(parseNetwork('10.0.0.0/255.255.255.0')).toMatchObject({ bits: 24 });
    expect(parseNetwork('10.0.0.0/0.0.0.255')).toMatchObject({ bits: 24 });
    expect(parseNetwork('10.0.0.0/255.0.255.0')).toBe('prefix');
    expect(parseNetwork('10.0.0.1/24')).toBe('host-bits');
  });
});

describe('S@', () => {
  const fleet = [
    device('a', { ipv4: ['127.0.0.1', '10.0.0.1'], ipv6: ['2001:DB8:0::7'] }),
    device('b', { ipv4: '10.0.0.100' }),
    device('c', { ipv4: ['nonsense', null, 7], ipv6: { odd: true } }),
  ];

  it.each([
    ['S@10.0.0.1', 'a'],
    ['S@10.0.0.100', 'b'],
    ['S@10.0.0.0/24', 'a b'],
    ['S@2001:db8::7', 'a'],
    ['S@2001:db8::/32', 'a'],
    ['S@0.0.0.0/0', 'a b'],
    ['S@::/0', 'a'],
  ])('%s', (text, ids) => {
    expect(select(text, fleet).join(' ')).toBe(ids);
  });
});

function canonical(text: string): string {
  const network = parseNetwork(text);
  if (typeof network === 'string') throw new Error(`${text}: ${network}`);
  return formatNetwork(network);
}
