import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCsr } from '../../../src/pki/csr.ts';
import { encodeCsr } from '../../../src/pki/create-csr.ts';
import { createKey, formatPem } from '../../../src/pki/key.ts';

describe('a request that is written by hand', () => {
  it('is read by the library as what it is, for every device id', async () => {
    const key = await createKey();
    const letters = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789');
    const id = fc
      .tuple(letters, fc.string({ unit: fc.constantFrom(...'abc012._-'), maxLength: 62 }))
      .map((two) => two.join(''));
    await fc.assert(
      fc.asyncProperty(id, async (deviceId) => {
        const parsed = await parseCsr(formatPem('CERTIFICATE REQUEST', encodeCsr(deviceId, key)));
        expect(parsed.commonName).toBe(deviceId);
        expect(parsed.publicKey.equals(createPublicKey(key))).toBe(true);
        expect(parsed.keyKind).toBe('EC P-256');
      }),
      { numRuns: 50 },
    );
  });

  it('is refused for a name that is none', async () => {
    const key = await createKey();
    expect(() => encodeCsr('No Such Id', key)).toThrow(/no device id/);
  });
});
