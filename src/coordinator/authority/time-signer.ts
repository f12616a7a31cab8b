import { X509Certificate } from 'node:crypto';
import { createTimeSigner, parsePrivateKey, splitPem, type TimeSigner } from '../../pki/index.ts';
import type { AuthorityKeeper } from './keeper.ts';

/** Signs the time with the coordinator's present certificate. */
export function timeSignerOf({ own, active }: Pick<AuthorityKeeper, 'own' | 'active'>): TimeSigner {
  const authorities = splitPem(active.bundlePem).map((pem) => new X509Certificate(pem));
  const key = parsePrivateKey(own.keyPem, "the coordinator's key");
  return createTimeSigner(key, [own.certificatePem, ...chainOf(own.certificate, authorities)]);
}

/** What stands between this certificate and its root, PEM. */
function chainOf(certificate: X509Certificate, authorities: readonly X509Certificate[]): string[] {
  const issuer = authorities.find((each) => certificate.checkIssued(each) && certificate.verify(each.publicKey));
  if (issuer === undefined || issuer.checkIssued(issuer)) return [];
  return [issuer.toString(), ...chainOf(issuer, authorities)];
}
