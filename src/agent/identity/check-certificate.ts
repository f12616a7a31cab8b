import { X509Certificate, createPrivateKey } from 'node:crypto';
import { splitCertificates } from '../../pki/authority-bundle.ts';
import { parseDeviceIdentity, type DeviceIdentity } from '../../pki/peer-identity.ts';
import type { RenewalReason } from './identity-record.ts';

export interface OfferedCertificate {
  /** DER. */
  certificate: Uint8Array;
  /** DER; absent: what is trusted already. */
  authorities?: readonly Uint8Array[];
}

export interface CheckedCertificate {
  certificatePem: string;
  authorityPem: string;
  identity: DeviceIdentity;
}

/**
 * Does what the coordinator sent fit this device? The certificate must be of the candidate's key and of the same
 * identity, live, and signed by an authority that a root of today vouches for. No new root comes in this way: whoever
 * holds an issuing key could otherwise take the device over for good.
 */
export function checkCertificate(
  offered: OfferedCertificate,
  own: { keyPem: string; identity: Pick<DeviceIdentity, 'fleetId' | 'deviceId'>; authorityPem: string; nowMs: number },
): CheckedCertificate | RenewalReason {
  try {
    const certificate = new X509Certificate(offered.certificate);
    const trusted = splitCertificates(own.authorityPem);
    const authorities = offered.authorities?.map((der) => new X509Certificate(der)) ?? trusted;
    const roots = authorities.filter(isRoot);
    const stranger = roots.find(({ fingerprint256 }) => !trusted.some((one) => one.fingerprint256 === fingerprint256));
    if (stranger !== undefined) return misfit('other-root', `it names another root, ${nameOf(stranger)}`);
    const astray = authorities.find((one) => !isRoot(one) && !(one.ca && roots.some((root) => isIssued(one, root))));
    if (roots.length === 0 || astray !== undefined) return misfit('no-chain', 'its authorities lead to no root');
    if (!authorities.some((authority) => isIssued(certificate, authority))) {
      return misfit('other-authority', 'none of the authorities signed it');
    }
    if (!certificate.checkPrivateKey(createPrivateKey(own.keyPem))) return misfit('other-key', 'it is for another key');
    const identity = parseDeviceIdentity(certificate);
    if (identity.deviceId !== own.identity.deviceId || identity.fleetId !== own.identity.fleetId) {
      return misfit('other-device', `it is for ${identity.deviceId} of ${identity.fleetId}`);
    }
    if (identity.notAfterMs <= own.nowMs) return misfit('expired', `it ended on ${certificate.validTo}`);
    return {
      identity,
      certificatePem: toPem(certificate),
      authorityPem: offered.authorities === undefined ? own.authorityPem : authorities.map(toPem).join(''),
    };
  } catch (error) {
    return misfit('malformed', error instanceof Error ? error.message : String(error));
  }
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.ca && certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
}

function isIssued(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function nameOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll('\n', ', ').slice(0, 120);
}

function toPem(certificate: X509Certificate): string {
  return certificate.toString();
}

function misfit(code: string, what: string): RenewalReason {
  return { code: `certificate-${code}`, message: `the certificate that came does not fit: ${what}`.slice(0, 512) };
}
