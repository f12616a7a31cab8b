/** What a coordinator is: its authority, its own certificate, and that all of it is of one fleet. */
import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { loadIssuingAuthority } from './authority.ts';
import { describeCertificate } from './certificate.ts';
import type { Authority } from './issue.ts';
import { createTimeSigner, type TimeSigner } from './signed-time.ts';
import { loadAuthorityBundle, loadIdentity } from './load-identity.ts';

export interface FleetIdentityFile {
  issuingCertificate: string;
  issuingKey: string;
  coordinatorCertificate: string;
  coordinatorKey: string;
  authorityBundle: string;
}

/**
 * Reads and checks all of it before anything listens: whatever does not fit would otherwise show on the devices only,
 * as connections that are refused. @throws FlotillaError; `pki-other-fleet` when the files are of another fleet
 */
export async function loadFleetIdentity(
  files: FleetIdentityFile,
  fleetId: string,
): Promise<{ issuing: Authority; bundlePem: string; timeSigner: TimeSigner }> {
  const own = await loadIdentity({ certificateFile: files.coordinatorCertificate, keyFile: files.coordinatorKey });
  const issuing = await loadIssuingAuthority({
    certificateFile: files.issuingCertificate,
    keyFile: files.issuingKey,
  });
  const { pem: bundlePem, certificates } = await loadAuthorityBundle(files.authorityBundle);
  if (issuing.fleetId !== fleetId) throw otherFleet(files.issuingCertificate, issuing.fleetId, fleetId);

  const { kind, fleetId: named, subject } = describeCertificate(own.certificate);
  if (kind !== 'coordinator') {
    throw new FlotillaError('usage', 'pki-not-a-coordinator', `${files.coordinatorCertificate} is no coordinator's`, {
      seen: subject,
      expected: `CN=coordinator.${fleetId}.flotilla`,
      suggestion: 'restore pki/ from a backup',
    });
  }
  if (named !== fleetId) throw otherFleet(files.coordinatorCertificate, named ?? subject, fleetId);

  const trusted = certificates.map(({ fingerprint256 }) => fingerprint256);
  if (!trusted.includes(new X509Certificate(issuing.certificatePem).fingerprint256)) {
    throw otherAuthority(files.authorityBundle, files.issuingCertificate, 'does not hold');
  }
  if (!certificates.some((authority) => own.certificate.verify(authority.publicKey))) {
    throw otherAuthority(files.authorityBundle, files.coordinatorCertificate, 'did not sign');
  }
  const issuers = chainOf(own.certificate, certificates);
  return { issuing, bundlePem, timeSigner: createTimeSigner(own.privateKey, [own.certificatePem, ...issuers]) };
}

/** What stands between this certificate and its root, PEM. */
function chainOf(certificate: X509Certificate, authorities: readonly X509Certificate[]): string[] {
  const issuer = authorities.find((each) => certificate.checkIssued(each) && certificate.verify(each.publicKey));
  if (issuer === undefined || issuer.checkIssued(issuer)) return [];
  return [issuer.toString(), ...chainOf(issuer, authorities)];
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
