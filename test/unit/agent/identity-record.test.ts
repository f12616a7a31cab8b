import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  identityStates,
  identityTable,
  moveIdentity,
  newIdentity,
  renewalDueMs,
  waitAfterFailure,
  type IdentityHappening,
  type IdentityHappeningType,
  type IdentityRecord,
} from '../../../src/agent/identity/identity-record.ts';

const reason = { code: 'c', message: 'm' };
const happenings: Record<IdentityHappeningType, IdentityHappening> = {
  begun: { type: 'begun', renewalId: '0011223344556677', cause: 'due', ofSerial: 'aa' },
  asked: { type: 'asked', nowMs: 5 },
  installed: { type: 'installed', serial: 'bb', via: 'link' },
  refused: { type: 'refused', reason, retryAfterMs: 0, nowMs: 5 },
  'dial-failed': { type: 'dial-failed', isRefusal: true, reason },
  proven: { type: 'proven' },
  failed: { type: 'failed', reason, nowMs: 5 },
  abandoned: { type: 'abandoned' },
};

describe('the identity of a device', () => {
  it('moves as its table says, and an illegal happening changes nothing', () => {
    for (const state of identityStates) {
      const record: IdentityRecord = { ...newIdentity, state, generation: 3 };
      const before = structuredClone(record);
      for (const happening of Object.values(happenings)) {
        const next = identityTable[state][happening.type];
        if (next === undefined) expect(() => moveIdentity(record, happening)).toThrow(/can't happen/);
        else expect(moveIdentity(record, happening).state).toBe(next);
        expect(record).toEqual(before);
      }
    }
  });

  it('never takes a generation twice, and forgets the renewal when it is settled', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Object.values(happenings)), { maxLength: 60 }), (list) => {
        let record: IdentityRecord = newIdentity;
        const generations: number[] = [];
        for (const happening of list) {
          if (identityTable[record.state][happening.type] === undefined) continue;
          record = moveIdentity(record, happening);
          if (happening.type === 'begun') generations.push(record.generation);
          if (record.state !== 'settled') continue;
          expect(record).not.toHaveProperty('renewalId');
          expect(record).toMatchObject({ dials: 0, refusals: 0 });
        }
        expect(generations).toEqual(generations.map((_, n) => n + 1));
      }),
    );
  });

  it('waits longer after each failure, up to a day', () => {
    expect([1, 2, 3, 4, 5, 50].map(waitAfterFailure)).toEqual([
      300_000, 1_200_000, 4_800_000, 19_200_000, 76_800_000, 86_400_000,
    ]);
  });

  it('is renewed within a twentieth of its share of the life, always at the same moment', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 60_000, max: 40_000_000_000 }),
        fc.double({ min: 0.1, max: 0.95, noNaN: true }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (lifeMs, share, serial) => {
          const certificate = {
            notBeforeMs: 1_000,
            notAfterMs: 1_000 + lifeMs,
            serialHex: Buffer.from(serial).toString('hex'),
          };
          const dueMs = renewalDueMs(certificate, share);
          expect(dueMs).toBe(renewalDueMs(certificate, share));
          expect(Math.abs(dueMs - 1_000 - lifeMs * share)).toBeLessThanOrEqual((lifeMs * share) / 20 + 1);
          expect(dueMs).toBeLessThan(certificate.notAfterMs);
        },
      ),
    );
  });
});
