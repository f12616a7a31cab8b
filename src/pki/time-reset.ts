/**
 * The way back for a device that was given a wrong time: an order to forget it, signed with the root key. Good for one
 * device and once: `timeMs` is the count as well, and a device takes no order that is not newer than the last it took.
 */
import { type KeyObject, type X509Certificate, sign, verify } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { isDeviceId } from './profile.ts';

/** A file of ten thousand orders. */
export const maxResetBytes = 4 * 1024 * 1024;

export interface TimeReset {
  fleetId: string;
  deviceId: string;
  /** When it was signed, and what the device goes back to. */
  timeMs: number;
  /** The coordinator delivers it no longer. */
  expiresAtMs: number;
  /** ECDSA P-256 with SHA-256, r and s of 32 bytes each, base64url. */
  signature: string;
}

export function signTimeReset(rootKey: KeyObject, reset: Omit<TimeReset, 'signature'>): TimeReset {
  const signature = sign('sha256', signedText(reset), { key: rootKey, dsaEncoding: 'ieee-p1363' });
  return { ...reset, signature: signature.toString('base64url') };
}

/** @throws FlotillaError `time-reset-signature` when none of these roots has signed it */
export function verifyTimeReset(reset: TimeReset, roots: readonly X509Certificate[]): void {
  const bytes = Buffer.from(reset.signature, 'base64url');
  const text = signedText(reset);
  const isGood = roots.some(
    ({ publicKey }) =>
      publicKey.asymmetricKeyType === 'ec' &&
      bytes.length === 64 &&
      verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes),
  );
  if (isGood) return;
  throw new FlotillaError('refused', 'time-reset-signature', 'the reset is not signed by the root of this fleet', {
    seen: `a reset for ${reset.deviceId} of ${reset.fleetId}`,
    suggestion: 'flotilla ca sign-time-reset, with the root key of this fleet',
  });
}

/** A file of `ca sign-time-reset`: one order a line, as JSON. @throws FlotillaError `time-reset-malformed` */
export function parseTimeResets(text: string, source: string): TimeReset[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const resets = lines.map(parseLine);
  if (resets.length > 0 && resets.every((reset) => reset !== undefined)) return resets;
  throw new FlotillaError('usage', 'time-reset-malformed', `${source} holds no time resets`, {
    seen: lines.length === 0 ? 'nothing' : `line ${resets.indexOf(undefined) + 1} is none`,
    expected: 'what flotilla ca sign-time-reset has written',
  });
}

function parseLine(line: string): TimeReset | undefined {
  try {
    const { fleetId, deviceId, timeMs, expiresAtMs, signature } = JSON.parse(line) as Record<string, unknown>;
    const isReset =
      typeof fleetId === 'string' &&
      typeof deviceId === 'string' &&
      isDeviceId(deviceId) &&
      Number.isSafeInteger(timeMs) &&
      Number.isSafeInteger(expiresAtMs) &&
      typeof signature === 'string';
    if (!isReset) return undefined;
    return { fleetId, deviceId, timeMs: timeMs as number, expiresAtMs: expiresAtMs as number, signature };
  } catch {
    return undefined;
  }
}

function signedText({ fleetId, deviceId, timeMs, expiresAtMs }: Omit<TimeReset, 'signature'>): Buffer {
  return Buffer.from(`flotilla-time-reset 1\n${fleetId}\n${deviceId}\n${timeMs}\n${expiresAtMs}\n`);
}
