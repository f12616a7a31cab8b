/** `cert verify`: a certificate against what is trusted, with every reason where it does not hold. */
import { FlotillaError } from '../../error.ts';
import { readMaterial } from '../inspect/material.ts';
import { type CertificateContent, decodeCertificate } from '../x509/certificate.ts';
import { type RevocationList, decodeRevocationList } from '../x509/revocation-list.ts';
import { buildPaths } from './build-path.ts';
import { checkPath } from './check-path.ts';
import type { Purpose } from './purpose.ts';
import type { Reason } from './reason.ts';

export interface VerifyOption {
  /** PEM or DER; the certificate first, then those that it came with. */
  certificate: NamedBytes;
  /** What is trusted; certificates that are not self-signed complete chains (with `partial` they are trusted too). */
  trusted: readonly NamedBytes[];
  /** Undefined: revocation is not looked at. */
  lists?: readonly NamedBytes[] | undefined;
  purpose?: Purpose | undefined;
  atMs: number;
  partial?: boolean | undefined;
}

export interface NamedBytes {
  source: string;
  bytes: Uint8Array;
}

export interface Verdict {
  ok: boolean;
  atMs: number;
  purpose?: Purpose;
  /** What was followed, the certificate first. */
  chain: { depth: number; subject: string; serialHex: string; fingerprintSha256Hex: string; trusted: boolean }[];
  /** Empty when it holds; of the path that came closest. */
  reasons: Reason[];
}

export function verifyCertificate(option: VerifyOption): Verdict {
  const { purpose, atMs, partial = false } = option;
  const anchors = option.trusted.flatMap((file) => readCertificates(file));
  let sent: CertificateContent[];
  try {
    sent = readCertificates(option.certificate);
  } catch (error) {
    if (!(error instanceof FlotillaError) || !isMalformed(error)) throw error;
    const text = `${error.message}: ${error.detail.seen ?? ''}`;
    return { ...shown(option), ok: false, chain: [], reasons: [{ code: 'malformed', depth: 0, subject: '', text }] };
  }
  const [leaf, ...untrusted] = sent as [CertificateContent, ...CertificateContent[]];
  const lists = option.lists?.flatMap((file) => readLists(file));
  const judged = buildPaths(leaf, { anchors, untrusted, partial }).map((path) => ({
    path,
    reasons: checkPath(path, { atMs, purpose, lists }),
  }));
  // The closest: the fewest reasons, and of those the longest way up.
  const best = judged.toSorted(
    (a, b) => a.reasons.length - b.reasons.length || b.path.certificates.length - a.path.certificates.length,
  )[0]!;
  const trusted = new Set(anchors.map(({ fingerprintSha256Hex }) => fingerprintSha256Hex));
  return {
    ...shown(option),
    ok: best.reasons.length === 0,
    chain: best.path.certificates.map((one, depth) => ({
      depth,
      subject: one.subject.text,
      serialHex: one.serialHex,
      fingerprintSha256Hex: one.fingerprintSha256Hex,
      trusted: trusted.has(one.fingerprintSha256Hex),
    })),
    reasons: best.reasons,
  };
}

function shown({ atMs, purpose }: VerifyOption): Pick<Verdict, 'atMs' | 'purpose'> {
  return { atMs, ...(purpose === undefined ? {} : { purpose }) };
}

function isMalformed({ code }: FlotillaError): boolean {
  return code === 'pki-der-malformed' || code === 'pki-pem-malformed' || code === 'pki-material-unknown';
}

/** At least one. */
export function readCertificates({ source, bytes }: NamedBytes): CertificateContent[] {
  const materials = readMaterial(bytes, source);
  const certificates = materials.filter(({ kind }) => kind === 'certificate');
  if (certificates.length > 0) return certificates.map(({ der, thing }) => decodeCertificate(der, thing));
  throw new FlotillaError('usage', 'pki-no-certificate', `${source} holds no certificate`, {
    seen: materials.map(({ kind }) => kind).join(', '),
    expected: 'one or more certificates, as PEM or DER',
  });
}

function readLists({ source, bytes }: NamedBytes): RevocationList[] {
  const materials = readMaterial(bytes, source);
  const lists = materials.filter(({ kind }) => kind === 'revocation-list');
  if (lists.length > 0) return lists.map(({ der, thing }) => decodeRevocationList(der, thing));
  throw new FlotillaError('usage', 'pki-no-revocation-list', `${source} holds no revocation list`, {
    seen: materials.map(({ kind }) => kind).join(', '),
    expected: 'a revocation list (CRL), as PEM or DER',
  });
}
