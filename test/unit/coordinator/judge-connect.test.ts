import { describe, expect, it } from 'vitest';
import {
  admissionOf,
  judgeAgent,
  judgeIdentity,
  judgeInstance,
  maxInstances,
} from '../../../src/coordinator/identity/judge-connect.ts';
import { newDevice } from '../../../src/coordinator/registry/reduce-device.ts';
import type { AuthorityRow, CertificateRow, LaneCursor } from '../../../src/store/row.ts';

const nowMs = Date.UTC(2026, 0, 10);
const identity = {
  fleetId: 'harbour',
  deviceId: 'gw-1',
  authority: 'issuing-1',
  serialHex: 'aa01',
  fingerprintSha256Hex: 'ff',
  notBeforeMs: nowMs - 1000,
  notAfterMs: nowMs + 1000,
};
const certificate: CertificateRow = {
  serial: 'aa01',
  issuer: 'issuing-1',
  deviceId: 'gw-1',
  fingerprintSha256: 'ff',
  notBeforeMs: nowMs - 1000,
  notAfterMs: nowMs + 1000,
  issuedAtMs: nowMs - 1000,
  pem: '',
};
const device = newDevice('gw-1', 'accepted', nowMs);
const authority: AuthorityRow = {
  id: 'issuing-1',
  kind: 'issuing',
  state: 'active',
  pem: '',
  fingerprintSha256: '',
  createdAtMs: 0,
};
const onRecord = [certificate];
const overlapMs = 1_000;
const question = { fleetId: 'harbour', identity, authority, known: onRecord, device, certificate, overlapMs, nowMs };
const refusalOf = (change: Partial<Parameters<typeof judgeIdentity>[0]>) =>
  judgeIdentity({ ...question, ...change }).find(({ verdict }) => verdict === 'blocks')?.refusal?.code;

describe('an identity at HELLO', () => {
  it('comes in when it is accepted and its certificate is on record, valid and unrevoked', () => {
    expect(refusalOf({})).toBeUndefined();
  });

  it('is refused with the code of the first rule that says no', () => {
    expect(refusalOf({ fleetId: 'other' })).toBe('unknown-device');
    expect(refusalOf({ device: undefined })).toBe('unknown-device');
    expect(refusalOf({ certificate: undefined })).toBe('unknown-device');
    expect(refusalOf({ certificate: { ...certificate, deviceId: 'gw-2' } })).toBe('unknown-device');
    for (const state of ['pending', 'rejected'] as const) {
      expect(refusalOf({ device: { ...device, state } })).toBe('unknown-device');
    }
    expect(refusalOf({ device: { ...device, state: 'quarantined' } })).toBe('quarantined');
    expect(refusalOf({ device: { ...device, state: 'revoked' } })).toBe('revoked');
    expect(refusalOf({ certificate: { ...certificate, revokedAtMs: 1 } })).toBe('revoked');
  });

  it('has the control lane alone while it waits for an operator, and no lane when anything else is wrong', () => {
    const admission = (change: Partial<Parameters<typeof judgeIdentity>[0]>) => {
      const { standing, refusal } = { standing: undefined, ...admissionOf(judgeIdentity({ ...question, ...change })) };
      return standing ?? refusal?.code;
    };
    expect(admission({})).toBe('accepted');
    expect(admission({ device: undefined, certificate: undefined })).toBe('pending');
    expect(admission({ device: { ...device, state: 'pending' }, certificate: undefined })).toBe('pending');
    expect(admission({ device: { ...device, state: 'quarantined' } })).toBe('quarantined');
    // Somebody else's card under a known name gets no line, or it could push out the real one.
    expect(admission({ certificate: undefined })).toBe('unknown-device');
    expect(admission({ device: { ...device, state: 'quarantined' }, certificate: undefined })).toBe('unknown-device');
    expect(admission({ device: undefined, certificate: { ...certificate, revokedAtMs: 1 } })).toBe('revoked');
    expect(admission({ device: { ...device, state: 'rejected' } })).toBe('unknown-device');
    expect(admission({ device: undefined, fleetId: 'other' })).toBe('unknown-device');
  });

  it('is served when its agent is not below the least version', () => {
    const verdictOf = (version: string, min?: string) => judgeAgent(version, min).refusal;
    expect(verdictOf('raw')).toBeUndefined();
    expect(verdictOf('1.2.0', '1.2.0')).toBeUndefined();
    expect(verdictOf('1.10.0', '1.9.0')).toBeUndefined();
    for (const version of ['1.2.0-rc.1', '1.1.9', 'raw', '']) {
      expect(verdictOf(version, '1.2.0')).toEqual({
        code: 'unsupported-agent',
        retryAfterMs: 3_600_000,
        detail: '1.2.0',
      });
    }
  });

  it('is judged by the certificate that TLS saw, at this very moment: a resumed session checks nothing', () => {
    expect(refusalOf({ nowMs: identity.notAfterMs })).toBe('expired');
    expect(refusalOf({ nowMs: identity.notAfterMs - 1 })).toBeUndefined();
    expect(refusalOf({ nowMs: identity.notBeforeMs - 1 })).toBe('expired');
  });

  it('is refused when its authority is over, and when the record names another one', () => {
    expect(refusalOf({ authority: { ...authority, state: 'overlap' } })).toBeUndefined();
    expect(refusalOf({ authority: { ...authority, state: 'retired' } })).toBe('expired');
    expect(refusalOf({ authority: { ...authority, state: 'requested' } })).toBe('unknown-device');
    expect(refusalOf({ authority: undefined })).toBe('unknown-device');
    expect(refusalOf({ certificate: { ...certificate, issuer: 'issuing-2' } })).toBe('unknown-device');
  });

  it('of a registered authority is taken for ids and names that came from there, and for no other', () => {
    const acme: AuthorityRow = { ...authority, id: 'acme', kind: 'registered', state: 'trusted' };
    const shown = { ...identity, authority: 'acme', subject: 'CN=gw-1', serialHex: 'acme:aa01' };
    const record = { ...certificate, issuer: 'acme', subject: 'CN=gw-1', serial: 'acme:aa01' };
    const own = { identity: shown, authority: acme, certificate: record };
    expect(refusalOf({ ...own, known: [record] })).toBeUndefined();
    expect(refusalOf({ ...own, known: [record], authority: { ...acme, state: 'removed' } })).toBe('revoked');
    // The id is taken: by a certificate of ours, by another such authority, by other names, by nobody knows what.
    for (const known of [
      [certificate],
      [record, certificate],
      [{ ...record, issuer: 'other' }],
      [{ ...record, subject: 'CN=GW-1' }],
      [],
    ]) {
      expect(refusalOf({ ...own, known, certificate: undefined })).toBe('unknown-device');
      const { standing, refusal } = {
        standing: undefined,
        ...admissionOf(judgeIdentity({ ...question, ...own, known })),
      };
      expect(standing ?? refusal?.code).toBe('unknown-device');
    }
  });

  it('is told to be back within seconds while an operator may decide, and a quarantined one in ten', () => {
    const retryOf = (state: 'pending' | 'quarantined') =>
      judgeIdentity({ ...question, device: { ...device, state } }).find(({ refusal }) => refusal)?.refusal
        ?.retryAfterMs;
    expect(retryOf('pending')).toBe(5_000);
    expect(retryOf('quarantined')).toBe(10_000);
  });
});

describe("a device's history", () => {
  const cursors = new Map<string, LaneCursor>([['0a', [5, 0, 2, 0]]]);

  it('goes on, or is new', () => {
    expect(judgeInstance('0a', [6, 1, 3, 1], cursors).verdict).toBe('ok');
    expect(judgeInstance('0a', [9, 7, 3, 1], cursors).verdict).toBe('ok');
    expect(judgeInstance('0b', [1, 1, 1, 1], cursors).verdict).toBe('ok');
  });

  it('is refused when it was set back: its next events would bear stored numbers', () => {
    for (const nextSeq of [[5, 1, 3, 1], [6, 1, 2, 1], [1, 1, 1, 1], []]) {
      expect(judgeInstance('0a', nextSeq, cursors).refusal?.code).toBe('instance-mismatch');
    }
  });

  it('is quarantined after too many of one identity', () => {
    const many = new Map(Array.from({ length: maxInstances }, (_, index) => [`i${index}`, [0, 0, 0, 0] as LaneCursor]));
    expect(judgeInstance('new', [1, 1, 1, 1], many).refusal?.code).toBe('quarantined');
    expect(judgeInstance('i3', [1, 1, 1, 1], many).verdict).toBe('ok');
  });
});
