/** Rules for one certificate. Each takes what was decoded and says what it finds; none throws, none knows the time. */
import { msPerDay, alwaysNotAfterMs, alwaysNotBeforeMs } from '../profile.ts';
import { isBrokenHash } from '../x509/algorithm.ts';
import { ExtensionId, extensionName } from '../x509/object-id.ts';
import { type Told, reissue, told } from './finding.ts';
import { lintPublicKey } from './key-rule.ts';
import type { Rule, RuleInput } from './rule.ts';
import { authority, names, purpose } from './usage-rule.ts';

const understood: ReadonlySet<string> = new Set(Object.values(ExtensionId));
const minSerialBytes = 8;
const maxSerialBytes = 20;
/** Of a device or an operator; longer, and a stolen key is good for longer than anyone remembers it. */
const maxLeafDays = 825;

const validity: Rule = ({ content: { notBeforeMs, notAfterMs }, nowMs, soonDays }) => {
  if (notAfterMs < notBeforeMs) {
    const seen = `it ends at ${iso(notAfterMs)}, before it begins at ${iso(notBeforeMs)}`;
    return [told('error', 'validity-reversed', seen, 'there is no time at which it holds', reissue)];
  }
  if (nowMs > notAfterMs) {
    const why = 'every TLS handshake with it is refused; a device can only use the recovery port';
    return [
      told('error', 'expired', `it ended at ${iso(notAfterMs)}, ${daysApart(nowMs, notAfterMs)} ago`, why, reissue),
    ];
  }
  if (nowMs < notBeforeMs) {
    const seen = `it begins at ${iso(notBeforeMs)}, in ${daysApart(nowMs, notBeforeMs)}`;
    const why = 'it is refused until then; if it was issued just now, one of the clocks is wrong';
    return [
      told('error', 'not-yet-valid', seen, why, 'check the clocks of the coordinator and of this machine: date -u'),
    ];
  }
  if (notAfterMs - nowMs >= soonDays * msPerDay) return [];
  const seen = `it ends at ${iso(notAfterMs)}, in ${daysApart(nowMs, notAfterMs)}`;
  return [told('warning', 'ends-soon', seen, 'it is refused after that', 'renew it now')];
};

/** Whose clock is lost must still accept authorities and coordinator; whose key may be stolen must not live for ever. */
const life: Rule = ({ content: { notBeforeMs, notAfterMs }, role }) => {
  const days = Math.round((notAfterMs - notBeforeMs) / msPerDay);
  if (role === 'device' || role === 'operator') {
    if (days <= maxLeafDays) return [];
    const why = 'a stolen key stays good as long, wherever revocation is not looked at';
    return [
      told(
        'warning',
        'validity-too-long',
        `${days} days for the ${role} profile`,
        why,
        `issue it for at most ${maxLeafDays} days`,
      ),
    ];
  }
  if (role !== 'root' && role !== 'issuing' && role !== 'coordinator') return [];
  if (notBeforeMs <= alwaysNotBeforeMs && notAfterMs >= alwaysNotAfterMs) return [];
  const seen = `${iso(notBeforeMs)} to ${iso(notAfterMs)} for the ${role} profile`;
  const why = 'a device whose clock is lost (1970, 2038) refuses it and can never be told the time';
  return [told('warning', 'validity-not-always', seen, why, 'issue it for 1970 to 9999, and end its life by rotation')];
};

const signature: Rule = ({ content: { signatureAlgorithm, innerAlgorithm, issuer, subject } }) => {
  const found: Told[] = [];
  // A root is trusted for being there: its own signature proves nothing and breaks nothing.
  const root = issuer.canonical.join() === subject.canonical.join();
  if (isBrokenHash(signatureAlgorithm.hash)) {
    const why = `two texts of the same ${signatureAlgorithm.hash} can be made: the signature proves nothing, and OpenSSL 3 refuses it`;
    found.push(
      told(
        root ? 'warning' : 'error',
        'signature-weak',
        `it is signed with ${signatureAlgorithm.name}`,
        why,
        'sign it with SHA-256',
      ),
    );
  } else if (signatureAlgorithm.keyType === undefined) {
    found.push(
      told('error', 'signature-unknown', `algorithm ${signatureAlgorithm.name}`, 'nobody can check it', reissue),
    );
  }
  if (!Buffer.from(signatureAlgorithm.der).equals(innerAlgorithm.der)) {
    const seen = `${innerAlgorithm.name} inside of the signature, ${signatureAlgorithm.name} outside`;
    found.push(
      told(
        'error',
        'signature-algorithm-mismatch',
        seen,
        'it was changed after it was signed, or made by a broken tool',
        reissue,
      ),
    );
  }
  return found;
};

const serial: Rule = ({ content: { serial: bytes, serialHex } }) => {
  if (serialHex.startsWith('-')) {
    return [
      told(
        'error',
        'serial-negative',
        serialHex,
        'tools disagree on it, so that it can escape a revocation list',
        reissue,
      ),
    ];
  }
  if (/^0+$/.test(serialHex)) {
    return [
      told(
        'error',
        'serial-zero',
        'serial number 0',
        'RFC 5280 forbids it, and it can not be told apart in a revocation list',
        reissue,
      ),
    ];
  }
  if (bytes.length > maxSerialBytes) {
    return [
      told(
        'error',
        'serial-too-long',
        `${bytes.length} bytes`,
        `RFC 5280 allows ${maxSerialBytes}; tools cut it off or refuse it`,
        reissue,
      ),
    ];
  }
  if (bytes.length >= minSerialBytes) return [];
  const why =
    'two authorities, or one that was restored from a backup, come upon the same; a chosen prefix is easier to forge';
  return [told('warning', 'serial-too-short', `${bytes.length * 8} bits: ${serialHex}`, why, 'use 128 random bits')];
};

const extensions: Rule = ({ content }) => {
  const found = content.duplicates.map((oid) =>
    told('error', 'extension-duplicate', `${extensionName(oid)} stands there more than once`, 'one tool reads the first, another the last: both may be right about different certificates', reissue),
  ); // prettier-ignore
  for (const { oid, text } of content.problems) {
    found.push(
      told(
        'error',
        'extension-malformed',
        `${extensionName(oid)}: ${text}`,
        'whoever checks it has to refuse the certificate',
        reissue,
      ),
    );
  }
  for (const { oid, critical } of content.extensions) {
    if (!critical || understood.has(oid)) continue;
    const seen = `critical extension ${extensionName(oid)}`;
    found.push(
      told(
        'error',
        'extension-critical-unknown',
        seen,
        'whoever does not understand it has to refuse the certificate',
        'leave it out, or mark it as not critical',
      ),
    );
  }
  if (content.version !== 3) {
    const seen = `version ${content.version}`;
    const why = 'only version 3 has extensions: such a certificate can not say what it may be used for';
    found.push(told(content.extensions.length > 0 ? 'error' : 'warning', 'version-old', seen, why, reissue));
  }
  return found;
};

const rules: readonly Rule[] = [
  validity,
  life,
  signature,
  serial,
  ({ content }) => lintPublicKey(content.publicKey),
  extensions,
  authority,
  names,
  purpose,
];

export function lintCertificate(input: RuleInput): Told[] {
  return rules.flatMap((rule) => rule(input));
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function daysApart(aMs: number, bMs: number): string {
  const days = Math.abs(aMs - bMs) / msPerDay;
  return days >= 2 ? `${Math.floor(days)} days` : `${Math.ceil(days * 24)} hours`;
}
