/**
 * Who a peer is, when several authorities are trusted: which of them signed its certificate, and what that one may say.
 * For a certificate whose chain TLS has verified, perhaps in an earlier session. Uses node:crypto alone.
 */
import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { type DeviceIdentity, parseDeviceIdentity } from './peer-identity.ts';
import { parseRegisteredIdentity, type Registration } from './registered-identity.ts';

export interface TrustedAuthority {
  id: string;
  /** Its certificate, and behind it those above it that must be trusted with it. */
  pem: string;
  /** Somebody else's authority: how its certificates become devices of this fleet. */
  registration?: Registration;
}

export interface ReadPeer extends DeviceIdentity {
  /** Id of the authority. */
  authority: string;
  subject?: string;
}

export type PeerReader = (certificate: X509Certificate) => ReadPeer;

/** What it returns throws FlotillaError `pki-authority-unknown` when none of them signed the certificate itself. */
export function createPeerReader(fleetId: string, authorities: readonly TrustedAuthority[]): PeerReader {
  const known = authorities.map((authority) => ({ ...authority, certificate: new X509Certificate(authority.pem) }));
  // Our own have names and key ids that nobody else can give below our root. A registered authority could sign another
  // one in the name of ours: then only the signature tells.
  const nameIsEnough = known.every(({ registration }) => registration === undefined);
  return (certificate) => {
    const issuer = known.find(
      (one) =>
        certificate.checkIssued(one.certificate) && (nameIsEnough || certificate.verify(one.certificate.publicKey)),
    );
    if (issuer === undefined) {
      throw new FlotillaError('forbidden', 'pki-authority-unknown', 'no trusted authority signed this certificate', {
        seen: certificate.issuer.replaceAll('\n', ', ').slice(0, 120),
        expected: known.map(({ id }) => id).join(', '),
      });
    }
    const { id, registration } = issuer;
    if (registration === undefined) return { ...parseDeviceIdentity(certificate), authority: id };
    return { ...parseRegisteredIdentity(certificate, { fleetId, authority: id, registration }), authority: id };
  };
}
