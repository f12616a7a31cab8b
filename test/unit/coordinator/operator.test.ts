import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { findCredential, judgeCredential } from '../../../src/coordinator/operator/judge-credential.ts';
import { LiveConnections } from '../../../src/coordinator/operator/live-connections.ts';
import { coversRole } from '../../../src/coordinator/operator/right.ts';
import { formatToken, hashSecret, parseBearer, provesToken } from '../../../src/coordinator/operator/token.ts';
import { operatorRoles } from '../../../src/role.ts';
import type { CredentialRow, OperatorRow } from '../../../src/store/row.ts';

const credential: CredentialRow = {
  id: '0011223344556677',
  kind: 'token',
  proofSha256: '00',
  issuedAtMs: 1_000,
  issuedBy: 'local:0',
  notBeforeMs: 1_000,
  notAfterMs: 2_000,
};
const operator: OperatorRow = {
  name: 'anna',
  role: 'viewer',
  createdAtMs: 0,
  createdBy: 'init',
  credentials: [credential],
};
const refusalOf = (
  change: Partial<CredentialRow>,
  nowMs: number,
  of: Partial<OperatorRow> = {},
): string | undefined => {
  try {
    judgeCredential({ operator: { ...operator, ...of }, credential: { ...credential, ...change } }, nowMs);
    return undefined;
  } catch (error) {
    return (error as FlotillaError).code;
  }
};

describe('a credential', () => {
  it.each<[string, Partial<CredentialRow>, number, string | undefined]>([
    ['within its life', {}, 1_500, undefined],
    ['at its first and last moment', {}, 1_000, undefined],
    ['before it begins', {}, 999, 'token-expired'],
    ['after its end', {}, 2_001, 'token-expired'],
    ['a certificate after its end', { kind: 'certificate' }, 2_001, 'certificate-expired'],
    ['revoked', { revokedAtMs: 1_200 }, 1_500, 'operator-revoked'],
    ['revoked and expired', { revokedAtMs: 1_200 }, 9_000, 'operator-revoked'],
    ['with uses left', { usesLeft: 1 }, 1_500, undefined],
    ['used up', { usesLeft: 0 }, 1_500, 'token-used-up'],
  ])('%s', (_, change, nowMs, code) => {
    expect(refusalOf(change, nowMs)).toBe(code);
  });

  it('of a revoked operator is nothing', () => {
    expect(refusalOf({}, 1_500, { revokedAtMs: 1_100 })).toBe('operator-revoked');
  });

  it('is found by its id alone, and only while its row has it', () => {
    const credentials = new Map([
      [credential.id, 'anna'],
      ['ffff', 'anna'],
      ['eeee', 'gone'],
    ]);
    const record = { operators: new Map([['anna', operator]]), credentials };
    expect(findCredential(record, credential.id)).toEqual({ operator, credential });
    for (const id of ['ffff', 'eeee', '', 'anna']) expect(findCredential(record, id), id).toBeUndefined();
  });
});

describe('a token', () => {
  it('comes back as it was made, and proves itself by its secret alone', () => {
    const id = '00aa11bb22cc33dd';
    const secret = randomBytes(32);
    const token = formatToken(id, secret);
    expect(parseBearer(`Bearer ${token}`)).toEqual({ id, secret });
    expect(provesToken(secret, hashSecret(secret))).toBe(true);
    expect(hashSecret(secret)).not.toContain(secret.toString('hex'));
    for (let byte = 0; byte < 32; byte += 1) {
      const other = Buffer.from(secret);
      other[byte]! ^= 1;
      expect(provesToken(other, hashSecret(secret))).toBe(false);
    }
    expect(provesToken(secret, '')).toBe(false);
    expect(provesToken(Buffer.alloc(0), '')).toBe(false);
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic abc', 'Bearer flotilla_00_x', `Bearer ${'x'.repeat(100_000)}`])(
    'is not made of %j',
    (header) => expect(parseBearer(header)).toBeUndefined(),
  );

  it('is not made of any text that is none', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(parseBearer(`Bearer ${text}`)).toBeUndefined();
      }),
      { seed: 6 },
    );
  });
});

describe('a role', () => {
  it('is given by those who have all of it', () => {
    for (const role of operatorRoles) {
      expect(coversRole(role, role)).toBe(true);
      expect(coversRole('admin', role)).toBe(true);
      expect(coversRole(role, 'viewer')).toBe(true);
      expect(coversRole(role, 'admin')).toBe(role === 'admin');
    }
    expect(coversRole('release', 'operator')).toBe(false);
    expect(coversRole('operator', 'release')).toBe(false);
    expect(coversRole('technician', 'operator')).toBe(false);
    expect(coversRole('operator', 'technician')).toBe(false);
  });
});

describe('open connections', () => {
  const socket = () => {
    const made = { destroyed: false, destroy: () => (made.destroyed = true) };
    return made;
  };

  it('belong to one credential, and end with it alone', () => {
    const live = new LiveConnections();
    const [one, two, three] = [socket(), socket(), socket()];
    const ended = live.bind(one, 'a')!;
    live.bind(two, 'a');
    const other = live.bind(three, 'b')!;
    expect(live.bind(one, 'a')).toBe(ended);
    expect(live.bind(one, 'b')).toBeUndefined();
    expect([live.count(['a']), live.count(['b']), live.count(['a', 'b']), live.count([])]).toEqual([2, 1, 3, 0]);
    live.release(two);

    const cuts: (() => void)[] = [];
    const revoked = new FlotillaError('forbidden', 'operator-revoked', 'no');
    const sweep = () =>
      live.sweep(
        (id) => (id === 'a' ? revoked : undefined),
        (cut) => void cuts.push(cut),
      );
    sweep();
    sweep();
    expect([ended.aborted, ended.reason, other.aborted]).toEqual([true, revoked, false]);
    expect([one.destroyed, cuts.length]).toEqual([false, 1]);
    cuts[0]!();
    expect([one.destroyed, two.destroyed, three.destroyed]).toEqual([true, false, false]);
  });
});
