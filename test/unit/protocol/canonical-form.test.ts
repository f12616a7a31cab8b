import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { canonicalForm } from '../../../src/protocol/canonical-form.ts';
import { traffic } from './columns-arbitrary.ts';

const byAvsc = (schema: avsc.Schema): string => JSON.stringify(avsc.Type.forSchema(structuredClone(schema)).schema());

describe('the fingerprint of a schema', () => {
  it('is the one that the Avro project publishes', () => {
    expect(avroFingerprint('"int"').toString(16)).toBe('7275d51a3f395c8f');
    expect(avroFingerprint('"null"').toString(16)).toBe('63dd24e7cc258f8a');
    expect(avroFingerprint('')).toBe(0xc15d213aa4d7a795n);
  });

  it('is the remainder of a division, bit by bit', () => {
    const naive = (bytes: Uint8Array): bigint => {
      let crc = 0xc15d213aa4d7a795n;
      for (const byte of bytes) {
        crc ^= BigInt(byte);
        for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ ((crc & 1n) * 0xc15d213aa4d7a795n);
      }
      return crc;
    };
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(avroFingerprint(text)).toBe(naive(Buffer.from(text)));
      }),
    );
  });
});

describe('the canonical form of a schema', () => {
  it.each<[string, avsc.Schema]>([
    ['a primitive in braces', { type: 'int' }],
    ['a logical type', { type: 'long', logicalType: 'timestamp-millis' }],
    ['a union', ['null', { type: 'string' }]],
    [
      'names of namespaces, and what refers to them',
      {
        type: 'record',
        name: 'Outer',
        namespace: 'a.b',
        doc: 'left out',
        aliases: ['Old'],
        fields: [
          { name: 'one', type: { type: 'enum', name: 'Kind', symbols: ['x', 'y'], doc: 'left out' }, default: 'x' },
          { name: 'two', type: 'Kind', order: 'ignore' },
          { name: 'three', type: { type: 'fixed', name: 'c.Sum', size: 16 } },
          { name: 'four', type: ['null', 'c.Sum'], default: null },
          { name: 'five', type: { type: 'record', name: 'd.Inner', fields: [{ name: 'x', type: 'a.b.Kind' }] } },
          { name: 'six', type: { type: 'map', values: { type: 'array', items: 'd.Inner' } } },
        ],
      },
    ],
    ['a record inside of itself', { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] }],
  ])('is that of another implementation: %s', (_, schema) => {
    expect(canonicalForm(schema)).toBe(byAvsc(schema));
  });

  it('is that of another implementation, whatever the columns', () => {
    fc.assert(
      fc.property(traffic, ({ avro }) => {
        expect(canonicalForm(avro)).toBe(byAvsc(avro));
      }),
      { numRuns: 50 },
    );
  });

  it('is something for anything', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void canonicalForm(value)));
  });
});
