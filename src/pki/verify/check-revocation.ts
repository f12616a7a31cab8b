/** What a revocation list says of a certificate, and whether the list itself may be believed (RFC 5280, 6.3). */
import { isBrokenHash, verifySignature } from '../x509/algorithm.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { ExtensionId, extensionName } from '../x509/object-id.ts';
import type { RevocationList } from '../x509/revocation-list.ts';
import type { ReasonCode } from './reason.ts';

export interface RevocationProblem {
  code: Extract<
    ReasonCode,
    'revoked' | 'crl-missing' | 'crl-invalid' | 'crl-stale' | 'crl-not-yet-valid' | 'key-usage-no-crl-sign'
  >;
  text: string;
}

export interface RevocationInput {
  lists: readonly RevocationList[];
  atMs: number;
  /** Whether a certificate without a list is a problem. */
  required: boolean;
}

/** Critical extensions of a list that are understood; others (deltas, lists of a part) could hide a revocation. */
const understood: ReadonlySet<string> = new Set([ExtensionId.crlNumber, ExtensionId.authorityKeyIdentifier]);

export function checkRevocation(
  one: CertificateContent,
  issuer: CertificateContent,
  { lists, atMs, required }: RevocationInput,
): RevocationProblem[] {
  const own = lists.filter((list) => sameName(list.issuer, issuer.subject));
  const signed = own.filter((list) => isSignedBy(list, issuer));
  const list = newest(signed);
  if (list === undefined) {
    if (own.length > 0 && required) {
      return [{ code: 'crl-invalid', text: `no revocation list of ${issuer.subject.text} is signed by its key` }];
    }
    return required ? [{ code: 'crl-missing', text: `there is no revocation list of ${issuer.subject.text}` }] : [];
  }
  const problems = listProblems(list, issuer, atMs);
  const entry = list.revoked.get(one.serialHex);
  if (entry !== undefined) {
    const when = new Date(entry.revokedAtMs).toISOString();
    problems.push({ code: 'revoked', text: `it was revoked at ${when}, reason ${entry.reason}` });
  }
  return problems;
}

/** @param issuer whose key must have signed it */
export function isSignedBy(list: RevocationList, issuer: CertificateContent): boolean {
  const { publicKey } = issuer;
  return publicKey !== undefined && verifySignature(list.signatureAlgorithm, publicKey, list.signed, list.signature);
}

function newest(lists: readonly RevocationList[]): RevocationList | undefined {
  return lists.toSorted((a, b) => b.thisUpdateMs - a.thisUpdateMs)[0];
}

function listProblems(list: RevocationList, issuer: CertificateContent, atMs: number): RevocationProblem[] {
  const problems: RevocationProblem[] = [];
  const unknown = [
    ...list.extensions.filter(({ oid, critical }) => critical && !understood.has(oid)).map(({ oid }) => oid),
    ...[...list.revoked.values()].flatMap(({ unknownCritical = [] }) => unknownCritical),
  ];
  if (unknown.length > 0) {
    const text = `the list has the critical extension ${extensionName(unknown[0]!)}, which is not understood`;
    problems.push({ code: 'crl-invalid', text });
  }
  if (isBrokenHash(list.signatureAlgorithm.hash)) {
    problems.push({ code: 'crl-invalid', text: `the list is signed with ${list.signatureAlgorithm.name}` });
  }
  const { keyUsage } = issuer.known;
  if (keyUsage !== undefined && !keyUsage.includes('cRLSign')) {
    problems.push({ code: 'key-usage-no-crl-sign', text: `${issuer.subject.text} may not sign revocation lists` });
  }
  if (list.thisUpdateMs > atMs) {
    const from = new Date(list.thisUpdateMs).toISOString();
    problems.push({ code: 'crl-not-yet-valid', text: `the revocation list holds from ${from}` });
  }
  if (list.nextUpdateMs !== undefined && list.nextUpdateMs < atMs) {
    const until = new Date(list.nextUpdateMs).toISOString();
    problems.push({ code: 'crl-stale', text: `the revocation list should have been renewed by ${until}` });
  }
  return problems;
}
