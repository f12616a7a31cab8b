/**
 * May this key have a certificate for this id? The rules stand in order; the first that says no decides. What lets a
 * device in is either a token that is still good, or a manifest that names its key. Neither ever replaces a device that
 * is known already under another key: that takes an operator.
 */
import type { DeviceRow, EnrollmentTokenRow, PreregistrationRow } from '../../store/row.ts';
import { compileGlob } from '../../selector/glob.ts';

export interface EnrollmentQuestion {
  deviceId: string;
  /** SHA-256 of the public key that the request proves, 64 hex digits. */
  keySha256: string;
  /** What the request says of its hardware. */
  hardwareSerial: string | undefined;
  /** Its secret was shown; absent: none was. */
  token: EnrollmentTokenRow | undefined;
  /** What a manifest says of this id, and of which id it says that it has this key. */
  preregistration: PreregistrationRow | undefined;
  keyOwner: string | undefined;
  device: DeviceRow | undefined;
  /** Certificates of the device that are still good. */
  certificates: readonly { serial: string; keySha256: string }[];
  nowMs: number;
}

export type EnrollmentVerdict =
  /** The same key has its certificate already: the answer to it was lost on the way. */
  | { kind: 'again'; serial: string }
  | {
      kind: 'issue';
      state: 'accepted' | 'pending';
      tags: Record<string, string>;
      bound: Record<string, string>;
      usesToken: boolean;
    }
  | { kind: 'refuse'; code: EnrollmentRefusal; seen: string; expected: string };

export type EnrollmentRefusal =
  | 'enrollment-unauthorized'
  | 'enrollment-token-expired'
  | 'enrollment-token-used-up'
  | 'enrollment-token-revoked'
  | 'enrollment-id-not-allowed'
  | 'enrollment-serial-mismatch'
  | 'enrollment-key-mismatch'
  | 'enrollment-device-state'
  | 'enrollment-device-known';

export function judgeEnrollment(question: EnrollmentQuestion): EnrollmentVerdict {
  const { token, preregistration, device, deviceId, keySha256, nowMs } = question;
  const namesKey = preregistration?.keySha256 === keySha256;
  if (token === undefined && !namesKey) {
    return refuse('enrollment-unauthorized', 'no token, and no manifest that names this key', 'one of the two');
  }
  const same = question.certificates.find((certificate) => certificate.keySha256 === keySha256);
  const known = judgeKnown(question, namesKey);
  if (known !== undefined) return known;
  if (token !== undefined) {
    const problem = judgeToken(token, deviceId, { nowMs, again: same !== undefined });
    if (problem !== undefined) return problem;
  }
  const problem = judgeManifest(question);
  if (problem !== undefined) return problem;
  if (same !== undefined) return { kind: 'again', serial: same.serial };
  const waits = preregistration?.pending === true || (preregistration === undefined && token?.state === 'pending');
  return {
    kind: 'issue',
    state: waits && device?.state !== 'accepted' ? 'pending' : 'accepted',
    tags: { ...token?.tags, ...preregistration?.tags },
    bound: { ...token?.grains, ...preregistration?.grains },
    usesToken: token !== undefined,
  };
}

function judgeKnown(question: EnrollmentQuestion, namesKey: boolean): EnrollmentVerdict | undefined {
  const { device, deviceId, certificates, keySha256 } = question;
  if (device === undefined) return undefined;
  if (device.state !== 'accepted' && device.state !== 'pending') {
    return refuse('enrollment-device-state', `${deviceId} is ${device.state}`, 'a device that nobody shut out');
  }
  const other = certificates.some((certificate) => certificate.keySha256 !== keySha256);
  const same = certificates.some((certificate) => certificate.keySha256 === keySha256);
  if (!other || same || namesKey) return undefined;
  return refuse(
    'enrollment-device-known',
    `${deviceId} has a good certificate with another key`,
    'a device that is new',
  );
}

function judgeToken(
  token: EnrollmentTokenRow,
  deviceId: string,
  { nowMs, again }: { nowMs: number; again: boolean },
): EnrollmentVerdict | undefined {
  if (token.revokedAtMs !== undefined) {
    return refuse('enrollment-token-revoked', `${token.id} was revoked`, 'a token that is good');
  }
  if (nowMs >= token.expiresAtMs) {
    return refuse(
      'enrollment-token-expired',
      `${token.id} ended ${isoDate(token.expiresAtMs)}`,
      'a token that is good',
    );
  }
  if (token.idPattern !== undefined && !compileGlob(token.idPattern)(deviceId)) {
    return refuse('enrollment-id-not-allowed', deviceId, `an id that matches ${token.idPattern}`);
  }
  if (!again && token.uses >= token.maxUses) {
    return refuse('enrollment-token-used-up', `${token.id} was used ${token.uses} times`, `at most ${token.maxUses}`);
  }
  return undefined;
}

function judgeManifest(question: EnrollmentQuestion): EnrollmentVerdict | undefined {
  const { preregistration, deviceId, keySha256, keyOwner, hardwareSerial } = question;
  if (keyOwner !== undefined && keyOwner !== deviceId) {
    return refuse('enrollment-key-mismatch', `a request for ${deviceId}`, `the id that a manifest gives this key`);
  }
  if (preregistration?.keySha256 !== undefined && preregistration.keySha256 !== keySha256) {
    return refuse('enrollment-key-mismatch', `key ${keySha256.slice(0, 16)}…`, 'the key that the manifest names');
  }
  if (preregistration?.hardwareSerial !== undefined && preregistration.hardwareSerial !== hardwareSerial) {
    const seen = hardwareSerial === undefined ? 'no serial number in the request' : `serial number ${hardwareSerial}`;
    return refuse('enrollment-serial-mismatch', seen, 'the serial number that the manifest names');
  }
  return undefined;
}

function refuse(code: EnrollmentRefusal, seen: string, expected: string): EnrollmentVerdict {
  return { kind: 'refuse', code, seen, expected };
}

function isoDate(ms: number): string {
  return new Date(ms).toISOString();
}
