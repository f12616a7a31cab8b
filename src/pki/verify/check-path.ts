/** One path, every rule (RFC 5280, 6.1), every reason. Pure: time is an argument. */
import { FlotillaError } from '../../error.ts';
import { describePublicKey, validatePublicKey } from '../public-key.ts';
import { isBrokenHash, verifySignature } from '../x509/algorithm.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { ExtensionId, anyExtendedKeyUsage, extendedKeyUsageName, extensionName } from '../x509/object-id.ts';
import type { RevocationList } from '../x509/revocation-list.ts';
import { type Path, maxPathLength } from './build-path.ts';
import { checkRevocation } from './check-revocation.ts';
import { checkNames, constrainedNames } from './name-constraint.ts';
import { type Purpose, identityProblem, purposeUsage } from './purpose.ts';
import type { Reason, ReasonCode } from './reason.ts';

export interface PathOption {
  atMs: number;
  purpose?: Purpose | undefined;
  /** Undefined: revocation is not looked at. Otherwise the certificate itself needs a list. */
  lists?: readonly RevocationList[] | undefined;
}

/** Critical ones of these are understood. Policies are: no policy is asked for, so any will do. */
const understood: ReadonlySet<string> = new Set([
  ExtensionId.basicConstraints,
  ExtensionId.keyUsage,
  ExtensionId.extendedKeyUsage,
  ExtensionId.subjectAltName,
  ExtensionId.nameConstraints,
  ExtensionId.subjectKeyIdentifier,
  ExtensionId.authorityKeyIdentifier,
  ExtensionId.crlDistributionPoints,
  ExtensionId.authorityInfoAccess,
  ExtensionId.certificatePolicies,
]);

const maxSerialBytes = 20;

type Tell = (code: ReasonCode, depth: number, text: string) => void;

export function checkPath({ certificates, end }: Path, option: PathOption): Reason[] {
  const reasons: Reason[] = [];
  const tell: Tell = (code, depth, text) => {
    reasons.push({ code, depth, subject: certificates[depth]!.subject.text, text });
  };
  for (const [depth, one] of certificates.entries()) {
    checkItself(one, depth, option, tell);
    const anchored = depth === certificates.length - 1;
    const issuer = certificates[depth + 1] ?? (anchored && sameName(one.issuer, one.subject) ? one : undefined);
    // The anchor is trusted for being one: nobody's signature and no list can add to that (6.1, input d).
    if (issuer !== undefined) checkSignature(one, issuer, depth, tell);
    if (issuer !== undefined && !anchored) checkList(one, issuer, depth, option, tell);
    if (depth > 0) checkAuthority(certificates, depth, option, tell);
  }
  checkEnd({ certificates, end }, tell);
  checkConstraints(certificates, tell);
  checkLeaf(certificates[0]!, option, tell);
  return reasons;
}

/** What is wrong with a certificate wherever it stands. */
function checkItself(one: CertificateContent, depth: number, { atMs }: PathOption, tell: Tell): void {
  const { extensions, known, problems, duplicates, publicKey, serial, serialHex, version } = one;
  if (version !== 3 && (extensions.length > 0 || depth > 0)) {
    tell('version-wrong', depth, `it is of version ${version}, where extensions need version 3`);
  }
  if (serialHex.startsWith('-') || /^0+$/.test(serialHex) || serial.length > maxSerialBytes) {
    tell(
      'serial-invalid',
      depth,
      `its serial number is ${serialHex}, where 1 to ${maxSerialBytes} bytes above 0 must stand`,
    );
  }
  if (known.keyUsage?.includes('keyCertSign') === true && known.basicConstraints?.ca !== true) {
    tell('key-usage-cert-sign', depth, 'its key usage says keyCertSign, and it is no authority');
  }
  if (atMs < one.notBeforeMs) tell('not-yet-valid', depth, `it holds from ${new Date(one.notBeforeMs).toISOString()}`);
  if (atMs > one.notAfterMs) tell('expired', depth, `it ended at ${new Date(one.notAfterMs).toISOString()}`);
  for (const oid of duplicates) tell('extension-duplicate', depth, `${extensionName(oid)} stands there more than once`);
  for (const { oid, text } of problems) tell('extension-malformed', depth, `${extensionName(oid)}: ${text}`);
  for (const { oid, critical } of extensions) {
    if (critical && !understood.has(oid)) {
      tell('extension-critical-unknown', depth, `its critical extension ${extensionName(oid)} is not understood`);
    }
  }
  if (known.basicConstraints?.ca === false && known.basicConstraints.pathLength !== undefined) {
    tell('extension-malformed', depth, 'basicConstraints: a path length where it is no authority');
  }
  if (publicKey === undefined) return tell('key-unknown', depth, 'its public key is of no kind that can be read');
  try {
    validatePublicKey(publicKey);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    tell(
      'key-weak',
      depth,
      `its key is ${describePublicKey(publicKey)}; ${error.detail.expected ?? ''} would be taken`,
    );
  }
}

function checkSignature(one: CertificateContent, issuer: CertificateContent, depth: number, tell: Tell): void {
  const { signatureAlgorithm, innerAlgorithm } = one;
  if (!Buffer.from(signatureAlgorithm.der).equals(innerAlgorithm.der)) {
    const text = `it says ${innerAlgorithm.name} inside and ${signatureAlgorithm.name} outside of the signature`;
    tell('signature-algorithm-mismatch', depth, text);
  }
  if (isBrokenHash(signatureAlgorithm.hash)) {
    tell('signature-weak', depth, `it is signed with ${signatureAlgorithm.name}; SHA-256 or better would be taken`);
  }
  if (signatureAlgorithm.keyType === undefined) {
    return tell('signature-algorithm-unknown', depth, `it is signed with ${signatureAlgorithm.name}`);
  }
  const { publicKey } = issuer;
  if (publicKey === undefined) return; // told of the issuer
  if (verifySignature(signatureAlgorithm, publicKey, one.signed, one.signature)) return;
  tell('signature-invalid', depth, `the key of ${issuer.subject.text} did not sign it`);
}

function checkList(
  one: CertificateContent,
  issuer: CertificateContent,
  depth: number,
  option: PathOption,
  tell: Tell,
): void {
  const { lists, atMs } = option;
  if (lists === undefined) return;
  for (const { code, text } of checkRevocation(one, issuer, { lists, atMs, required: depth === 0 })) {
    tell(code, depth, text);
  }
}

/** It stands above another one: 6.1.4 (k) to (n), and the purpose as every TLS library nests it. */
function checkAuthority(
  certificates: readonly CertificateContent[],
  depth: number,
  option: PathOption,
  tell: Tell,
): void {
  const { known } = certificates[depth]!;
  if (known.basicConstraints?.ca !== true) {
    tell('not-an-authority', depth, 'it stands above another certificate and is no authority');
  }
  const { pathLength } = known.basicConstraints ?? {};
  const between = certificates.slice(1, depth).filter(({ issuer, subject }) => !sameName(issuer, subject)).length;
  if (pathLength !== undefined && between > pathLength) {
    tell('path-length-exceeded', depth, `it allows ${pathLength} authorities below it, and there are ${between}`);
  }
  if (known.keyUsage !== undefined && !known.keyUsage.includes('keyCertSign')) {
    tell(
      'key-usage-no-cert-sign',
      depth,
      `its key usage is ${known.keyUsage.join(', ') || 'empty'}, without keyCertSign`,
    );
  }
  if (option.purpose !== undefined) checkPurpose(certificates[depth]!, depth, option.purpose, tell);
}

function checkEnd({ certificates, end }: Path, tell: Tell): void {
  const depth = certificates.length - 1;
  const last = certificates[depth]!;
  if (end === 'issuer-unknown') {
    tell('issuer-unknown', depth, `nothing that is trusted or came along is named ${last.issuer.text || '(empty)'}`);
  } else if (end === 'root-untrusted') tell('root-untrusted', depth, 'it is self-signed and not among the trusted');
  else if (end === 'too-long') tell('chain-too-long', depth, `the chain has more than ${maxPathLength} certificates`);
}

/** Each authority's constraints, against all names below it; self-issued ones between are let through (6.1.3 b). */
function checkConstraints(certificates: readonly CertificateContent[], tell: Tell): void {
  for (let above = 1; above < certificates.length; above++) {
    const constraints = certificates[above]!.known.nameConstraints;
    if (constraints === undefined) continue;
    for (const [depth, one] of certificates.slice(0, above).entries()) {
      if (depth > 0 && sameName(one.issuer, one.subject)) continue;
      for (const { code, text } of checkNames(constrainedNames(one, depth === 0), constraints)) {
        tell(code, depth, `${text} (constraint of ${certificates[above]!.subject.text})`);
      }
    }
  }
}

function checkLeaf(leaf: CertificateContent, { purpose }: PathOption, tell: Tell): void {
  const { keyUsage } = leaf.known;
  if (purpose === undefined) return;
  if (keyUsage !== undefined && !keyUsage.includes('digitalSignature')) {
    tell('key-usage-no-signature', 0, `its key usage is ${keyUsage.join(', ') || 'empty'}, without digitalSignature`);
  }
  checkPurpose(leaf, 0, purpose, tell);
  const problem = identityProblem(leaf, purpose);
  if (problem !== undefined) tell('identity-missing', 0, `it names no ${purpose}: ${problem}`);
}

/** Without the extension an authority is good for all purposes; a certificate of a fleet always has it. */
function checkPurpose({ known }: CertificateContent, depth: number, purpose: Purpose, tell: Tell): void {
  const usage = known.extendedKeyUsage;
  const wanted = purposeUsage[purpose];
  if (usage === undefined && depth > 0) return;
  if (usage?.includes(wanted) === true || (depth > 0 && usage?.includes(anyExtendedKeyUsage) === true)) return;
  const has = usage?.map(extendedKeyUsageName).join(', ') ?? 'absent';
  tell(
    'purpose-not-allowed',
    depth,
    `its extended key usage is ${has}, and ${purpose} needs ${extendedKeyUsageName(wanted)}`,
  );
}
