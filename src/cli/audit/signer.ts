/** Whose signatures under heads of the audit log count: coordinators' that this fleet's authority has signed. */
import { X509Certificate } from 'node:crypto';
import type { FleetLayout } from '../../config/fleet-layout.ts';
import { describeCertificate } from '../../pki/certificate.ts';
import { loadAuthorityBundle, loadCertificate } from '../../pki/load-identity.ts';

export interface Trust {
  fleetId: string | undefined;
  authorities: readonly X509Certificate[];
  /** Of the coordinator as it is now. */
  own: X509Certificate | undefined;
  /** Why there is nobody to trust. */
  reason?: string;
}

/** Fail closed: what can't be read vouches for nobody, and the reason is told with the result. */
export async function loadTrust(
  layout: Pick<FleetLayout, 'authorityBundle' | 'coordinatorCertificate'>,
): Promise<Trust> {
  try {
    const { certificates: authorities } = await loadAuthorityBundle(layout.authorityBundle);
    const { certificate } = await loadCertificate(layout.coordinatorCertificate);
    return { fleetId: describeCertificate(certificate).fleetId, authorities, own: certificate };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fleetId: undefined, authorities: [], own: undefined, reason };
  }
}

/** Those of them that are a coordinator's of this fleet by the word of its authority. */
export function signersOf({ authorities, own }: Trust, fleetId: string, brought?: string): X509Certificate[] {
  const candidates = [...(own === undefined ? [] : [own]), ...(brought === undefined ? [] : parse(brought))];
  return candidates.filter((certificate) => {
    const { kind, fleetId: named } = describeCertificate(certificate);
    if (kind !== 'coordinator' || named !== fleetId) return false;
    return authorities.some(
      (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
    );
  });
}

function parse(pem: string): X509Certificate[] {
  try {
    return [new X509Certificate(pem)];
  } catch {
    return [];
  }
}
