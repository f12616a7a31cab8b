import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findBoundConflict,
  judgeEnrollment,
  type EnrollmentQuestion,
} from '../../../src/coordinator/enrollment/index.ts';
import type { DeviceRow, EnrollmentTokenRow, PreregistrationRow } from '../../../src/store/row.ts';

const key = 'a'.repeat(64);
const otherKey = 'b'.repeat(64);
const token: EnrollmentTokenRow = {
  id: 't-1',
  secretSha256: '',
  createdAtMs: 0,
  createdBy: 'local:0',
  expiresAtMs: 1_000,
  maxUses: 2,
  uses: 0,
  state: 'accepted',
  tags: { ring: 'new', from: 'token' },
  grains: { site: 'harbour' },
};
const expected: PreregistrationRow = {
  deviceId: 'm-1',
  tags: { from: 'manifest' },
  grains: {},
  createdAtMs: 0,
  createdBy: 'local:0',
};
const device: DeviceRow = {
  id: 'm-1',
  state: 'accepted',
  createdAtMs: 0,
  grains: {},
  tags: {},
  quarantinedBundles: [],
  receivedBytes: 0,
  sentBytes: 0,
};
const question: EnrollmentQuestion = {
  deviceId: 'm-1',
  keySha256: key,
  hardwareSerial: undefined,
  token,
  preregistration: undefined,
  keyOwner: undefined,
  device: undefined,
  certificates: [],
  nowMs: 500,
};
const codeOf = (change: Partial<EnrollmentQuestion>): string => {
  const verdict = judgeEnrollment({ ...question, ...change });
  return verdict.kind === 'refuse' ? verdict.code : verdict.kind;
};

describe('judgeEnrollment', () => {
  it('lets a new device in by a token, with its tags and bound grains', () => {
    expect(judgeEnrollment(question)).toEqual({
      kind: 'issue',
      state: 'accepted',
      tags: token.tags,
      bound: token.grains,
      usesToken: true,
    });
  });

  it('lets a key that a manifest names in without a token; what the manifest says wins', () => {
    const preregistration = { ...expected, keySha256: key };
    expect(codeOf({ token: undefined, preregistration, keyOwner: 'm-1' })).toBe('issue');
    expect(judgeEnrollment({ ...question, preregistration, keyOwner: 'm-1' })).toMatchObject({
      tags: { ring: 'new', from: 'manifest' },
    });
  });

  it.each<[string, Partial<EnrollmentQuestion>, string]>([
    ['nothing', { token: undefined }, 'enrollment-unauthorized'],
    ['a manifest without its key', { token: undefined, preregistration: expected }, 'enrollment-unauthorized'],
    ['a token that is revoked', { token: { ...token, revokedAtMs: 1 } }, 'enrollment-token-revoked'],
    ['a token that has ended', { nowMs: 1_000 }, 'enrollment-token-expired'],
    ['a token that is used up', { token: { ...token, uses: 2 } }, 'enrollment-token-used-up'],
    ['a token of other ids', { token: { ...token, idPattern: 'x-*' } }, 'enrollment-id-not-allowed'],
    [
      'another key than the manifest has',
      { preregistration: { ...expected, keySha256: otherKey } },
      'enrollment-key-mismatch',
    ],
    ['the key of another device', { keyOwner: 'm-2' }, 'enrollment-key-mismatch'],
    ['no serial number', { preregistration: { ...expected, hardwareSerial: 'S1' } }, 'enrollment-serial-mismatch'],
    ['a device that was rejected', { device: { ...device, state: 'rejected' } }, 'enrollment-device-state'],
    ['a device in quarantine', { device: { ...device, state: 'quarantined' } }, 'enrollment-device-state'],
    ['a device that is revoked', { device: { ...device, state: 'revoked' } }, 'enrollment-device-state'],
    [
      'a device that is known under another key',
      { device, certificates: [{ serial: '01', keySha256: otherKey }] },
      'enrollment-device-known',
    ],
  ])('refuses %s', (_, change, code) => {
    expect(codeOf(change)).toBe(code);
  });

  it('gives the same certificate again for the same key, also when the token is used up by it', () => {
    const again = { device, certificates: [{ serial: '01', keySha256: key }], token: { ...token, uses: 2 } };
    expect(judgeEnrollment({ ...question, ...again })).toEqual({ kind: 'again', serial: '01' });
    expect(codeOf({ ...again, token: undefined })).toBe('enrollment-unauthorized');
    expect(codeOf({ ...again, nowMs: 5_000 })).toBe('enrollment-token-expired');
  });

  it('lets an operator replace a key through the manifest', () => {
    const known = { device, certificates: [{ serial: '01', keySha256: otherKey }] };
    expect(codeOf({ ...known, preregistration: { ...expected, keySha256: key }, keyOwner: 'm-1' })).toBe('issue');
  });

  it('leaves a device that was accepted accepted, and a new one pending where it was said', () => {
    const waits = { token: { ...token, state: 'pending' as const } };
    expect(judgeEnrollment({ ...question, ...waits })).toMatchObject({ state: 'pending' });
    expect(judgeEnrollment({ ...question, ...waits, device })).toMatchObject({ state: 'accepted' });
    expect(judgeEnrollment({ ...question, ...waits, preregistration: expected })).toMatchObject({ state: 'accepted' });
    expect(judgeEnrollment({ ...question, preregistration: { ...expected, pending: true } })).toMatchObject({
      state: 'pending',
    });
  });

  it('never issues to a key that neither a token nor a manifest lets in', () => {
    const bit = fc.boolean();
    fc.assert(
      fc.property(bit, bit, bit, bit, bit, (withToken, over, named, known, otherCertificate) => {
        const verdict = judgeEnrollment({
          ...question,
          token: withToken ? { ...token, ...(over ? { uses: token.maxUses } : {}) } : undefined,
          preregistration: named ? { ...expected, keySha256: key } : undefined,
          keyOwner: named ? 'm-1' : undefined,
          device: known ? device : undefined,
          certificates: known && otherCertificate ? [{ serial: '01', keySha256: otherKey }] : [],
        });
        if (verdict.kind !== 'issue') return;
        expect((withToken && !over) || (!withToken && named)).toBe(true);
        if (known && otherCertificate) expect(named).toBe(true);
      }),
    );
  });
});

describe('findBoundConflict', () => {
  it.each([
    [{}, { site: 'x' }, undefined],
    [{ site: 'harbour' }, {}, undefined],
    [{ site: 'harbour' }, { site: 'harbour' }, undefined],
    [{ site: 'harbour' }, { site: 'depot' }, { grain: 'site', expected: 'harbour', seen: 'depot' }],
    [{ 'os:version': '12' }, { os: { version: 12 } }, undefined],
    [{ 'os:version': '12' }, { os: { version: 13 } }, { grain: 'os:version', expected: '12', seen: '13' }],
    [{ site: 'harbour' }, { site: ['harbour'] }, { grain: 'site', expected: 'harbour', seen: '["harbour"]' }],
    [{ __proto__x: 'a' }, JSON.parse('{"__proto__":{"x":1}}'), undefined],
  ])('%j and %j: %j', (bound, grains, conflict) => {
    expect(findBoundConflict(bound as Record<string, string>, grains)).toEqual(conflict);
  });
});
