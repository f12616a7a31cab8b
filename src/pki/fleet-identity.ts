/** What a coordinator is: its authorities, its own certificate, and that all of it is of one fleet. */
import { X509Certificate, createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { loadIssuingAuthority } from './authority.ts';
import { describeCertificate, parseCertificate } from './certificate.ts';
import type { Authority } from './issue.ts';
import { loadAuthorityBundle, loadCertificate, loadKeyOf } from './load-identity.ts';
import { parsePrivateKey } from './parse-private-key.ts';
import { parseAuthorityName } from './profile.ts';
import { readSecretFile } from './secret-file.ts';

export interface FleetIdentityFile {
  /** The folder of the files below, and of later issuing authorities: `issuing-<n>.crt`, `issuing-<n>.key`. */
  pki: string;
  issuingCertificate: string;
  issuingKey: string;
  coordinatorCertificate: string;
  coordinatorKey: string;
  authorityBundle: string;
}

export interface FleetIssuing extends Omit<Authority, 'privateKey'> {
  /** `issuing-<number>`. */
  id: string;
  number: number;
  fingerprintSha256: string;
  /** Absent when somebody has taken the key of an older one away: that one signs nothing any more. */
  privateKey?: KeyObject;
}

/** An issuing authority that can sign. */
export type SigningIssuing = FleetIssuing & { privateKey: KeyObject };

export interface FleetIdentity {
  /** The fleet's root, as the bundle has it. */
  rootPem: string;
  /** By number; the last one has its key. */
  issuing: readonly FleetIssuing[];
  bundlePem: string;
  own: OwnIdentity;
}

export interface OwnIdentity {
  certificatePem: string;
  certificate: X509Certificate;
  keyPem: string;
  /** A process ended while it exchanged the two files: the new certificate still waits under its other name. */
  isHalfway: boolean;
}

export function issuingId(number: number): string {
  return `issuing-${number}`;
}

/** The first has the names that `init` gave it. */
export function issuingFile(
  { pki, issuingCertificate, issuingKey }: Pick<FleetIdentityFile, 'pki' | 'issuingCertificate' | 'issuingKey'>,
  number: number,
): { certificateFile: string; keyFile: string } {
  if (number === 1) return { certificateFile: issuingCertificate, keyFile: issuingKey };
  const path = join(pki, issuingId(number));
  return { certificateFile: `${path}.crt`, keyFile: `${path}.key` };
}

/** Where a file waits until it takes the place of another one. */
export function waitingFile(path: string): string {
  return `${path}.new`;
}

/**
 * Reads and checks all of it before anything listens: whatever does not fit would otherwise show on the devices only,
 * as connections that are refused. Changes nothing. @throws FlotillaError; `pki-other-fleet` when the files are of
 * another fleet
 */
export async function loadFleetIdentity(files: FleetIdentityFile, fleetId: string): Promise<FleetIdentity> {
  const own = await loadOwn(files);
  const issuing = await loadIssuing(files, fleetId);
  const newest = issuing.at(-1)!;
  const { pem: bundlePem, certificates } = await loadAuthorityBundle(files.authorityBundle);

  const { kind, fleetId: named, subject } = describeCertificate(own.certificate);
  if (kind !== 'coordinator') {
    throw new FlotillaError('usage', 'pki-not-a-coordinator', `${files.coordinatorCertificate} is no coordinator's`, {
      seen: subject,
      expected: `CN=coordinator.${fleetId}.flotilla`,
      suggestion: 'restore pki/ from a backup',
    });
  }
  if (named !== fleetId) throw otherFleet(files.coordinatorCertificate, named ?? subject, fleetId);

  const trusted = new Set(certificates.map(({ fingerprint256 }) => fingerprint256));
  const authorities = issuing.map(({ certificatePem }) => new X509Certificate(certificatePem));
  // After a rotation that was cut short the bundle may still be of the one before.
  if (!authorities.some(({ fingerprint256 }) => trusted.has(fingerprint256))) {
    throw otherAuthority(files.authorityBundle, issuingFile(files, newest.number).certificateFile, 'does not hold');
  }
  if (![...authorities, ...certificates].some(({ publicKey }) => own.certificate.verify(publicKey))) {
    throw otherAuthority(files.authorityBundle, files.coordinatorCertificate, 'did not sign');
  }
  const roots = certificates.filter((certificate) => certificate.checkIssued(certificate));
  return { rootPem: roots.map(String).join(''), issuing, bundlePem, own };
}

async function loadIssuing(files: FleetIdentityFile, fleetId: string): Promise<FleetIssuing[]> {
  const numbers = await listIssuing(files);
  const newest = numbers.at(-1) ?? 1;
  const older: FleetIssuing[] = [];
  for (const number of numbers.slice(0, -1)) {
    const { certificateFile, keyFile } = issuingFile(files, number);
    const { certificatePem, certificate } = await loadCertificate(certificateFile);
    const privateKey = await loadKeyIfThere(certificate, { certificateFile, keyFile });
    const commonName = certificate.subject.slice('CN='.length);
    const name = parseAuthorityName(certificate.subject);
    const named = { fleetId: name?.fleetId ?? certificate.subject, commonName, certificatePem };
    older.push(
      checkIssuing({ ...named, ...(privateKey && { privateKey }) }, number, { file: certificateFile, fleetId }),
    );
  }
  const file = issuingFile(files, newest);
  const last = await loadIssuingAuthority(file);
  const checked = checkIssuing(last, newest, { file: file.certificateFile, fleetId });
  return [...older, checked];
}

function checkIssuing(
  authority: Omit<Authority, 'privateKey'> & { privateKey?: KeyObject },
  number: number,
  { file, fleetId }: { file: string; fleetId: string },
): FleetIssuing {
  if (authority.fleetId !== fleetId) throw otherFleet(file, authority.fleetId, fleetId);
  const { fingerprint256 } = new X509Certificate(authority.certificatePem);
  const fingerprintSha256 = fingerprint256.replaceAll(':', '').toLowerCase();
  return { ...authority, id: issuingId(number), number, fingerprintSha256 };
}

/** Numbers of the issuing authorities whose certificates are there, from the lowest. */
async function listIssuing(files: FleetIdentityFile): Promise<number[]> {
  const names = await readdir(files.pki).catch((): string[] => []);
  const first = names.includes('issuing.crt') ? [1] : [];
  const later = names.flatMap((name) => {
    const [, digits] = /^issuing-([1-9]\d{0,3})\.crt$/.exec(name) ?? [];
    return digits === undefined || digits === '1' ? [] : [Number(digits)];
  });
  return [...first, ...later.toSorted((a, b) => a - b)];
}

async function loadKeyIfThere(
  certificate: X509Certificate,
  file: { certificateFile: string; keyFile: string },
): Promise<KeyObject | undefined> {
  try {
    return await loadKeyOf(certificate, file);
  } catch (error) {
    if (error instanceof FlotillaError && error.detail.seen === 'ENOENT') return undefined;
    throw error;
  }
}

/** The coordinator's pair; the certificate that waits when the key is already its. */
async function loadOwn(files: FleetIdentityFile): Promise<OwnIdentity> {
  const { coordinatorCertificate: certificateFile, coordinatorKey: keyFile } = files;
  const { certificatePem, certificate } = await loadCertificate(certificateFile);
  const keyPem = (await readSecretFile(keyFile)).toString('utf8');
  const publicKey = createPublicKey(parsePrivateKey(keyPem, keyFile));
  if (!publicKey.equals(certificate.publicKey)) {
    const waiting = await readWaiting(waitingFile(certificateFile));
    if (waiting !== undefined && publicKey.equals(waiting.certificate.publicKey)) {
      return { ...waiting, keyPem, isHalfway: true };
    }
  }
  await loadKeyOf(certificate, { certificateFile, keyFile }); // says what is wrong
  return { certificatePem, certificate, keyPem, isHalfway: false };
}

async function readWaiting(file: string): Promise<Pick<OwnIdentity, 'certificatePem' | 'certificate'> | undefined> {
  try {
    const certificatePem = await readFile(file, 'utf8');
    return { certificatePem, certificate: parseCertificate(certificatePem, file) };
  } catch (error) {
    if (error instanceof FlotillaError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function otherFleet(file: string, seen: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'pki-other-fleet', `${file} is of another fleet than coordinator.yaml says`, {
    seen,
    expected,
    suggestion: 'put fleetId back to what it was, or restore pki/ from a backup of this fleet',
  });
}

function otherAuthority(bundle: string, file: string, verb: string): FlotillaError {
  return new FlotillaError('usage', 'pki-other-authority', `${bundle} ${verb} ${file}`, {
    suggestion: 'restore pki/ from a backup: all of its files together',
  });
}
