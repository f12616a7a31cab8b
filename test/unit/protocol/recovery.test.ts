import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import {
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  maxAnswerBytes,
  maxQuestionBytes,
  type RecoveryAnswer,
} from '../../../src/protocol/recovery.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);
const block = fc.uint8Array({ minLength: 1, maxLength: 600 });
const answer = fc.oneof<fc.Arbitrary<RecoveryAnswer>[]>(
  fc.constant({ kind: 'refused' }),
  fc.constant({ kind: 'not-expired' }),
  fc.nat({ max: 2 ** 31 }).map((retryAfterSeconds) => ({ kind: 'later' as const, retryAfterSeconds })),
  fc
    .tuple(block, fc.array(block, { minLength: 1, maxLength: 16 }))
    .map(([certificate, authorities]) => ({ kind: 'issued' as const, certificate, authorities })),
);

describe('what is said on the recovery port', () => {
  it('has these bytes', () => {
    expect(hex(encodeAnswer({ kind: 'refused' }))).toBe('01');
    expect(hex(encodeAnswer({ kind: 'not-expired' }))).toBe('02');
    expect(hex(encodeAnswer({ kind: 'later', retryAfterSeconds: 600 }))).toBe('0300000258');
    const issued = { kind: 'issued', certificate: Buffer.from('abc'), authorities: [Buffer.from('d')] } as const;
    expect(hex(encodeAnswer({ ...issued, authorities: [...issued.authorities] }))).toBe('00000361626301000164');
    expect(hex(encodeQuestion(new Uint8Array(64).fill(7)))).toBe(`0040${'07'.repeat(64)}`);
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(answer, (said) => {
        const bytes = plain(encodeAnswer(said));
        expect(bytes.length).toBeLessThanOrEqual(maxAnswerBytes);
        expect(decodeAnswer(bytes)).toEqual(said);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: maxQuestionBytes }), (csr) => {
        const bytes = plain(encodeQuestion(csr));
        expect(plain(decodeQuestion(bytes)!)).toEqual(csr);
        for (let end = 0; end < bytes.length; end += Math.max(1, Math.floor(bytes.length / 17))) {
          expect(decodeQuestion(bytes.subarray(0, end))).toBeUndefined();
        }
      }),
    );
  });

  it('refuses everything else, and never anything but by a ProtocolError', () => {
    for (const bad of [
      '',
      '04',
      'ff',
      '0100',
      '03000000',
      '0300000258ff',
      '000000',
      '000001',
      '00000161',
      '0000016100',
      '00000161110001',
      '0000016101ffff',
    ]) {
      expect(() => decodeAnswer(Buffer.from(bad, 'hex')), bad).toThrow(ProtocolError);
    }
    for (const bad of ['0000', '003f', '1001', 'ffff', `0040${'00'.repeat(65)}`]) {
      expect(() => decodeQuestion(Buffer.from(bad, 'hex')), bad).toThrow(ProtocolError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of [decodeAnswer, decodeQuestion]) {
          try {
            read(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
    );
  });
});
