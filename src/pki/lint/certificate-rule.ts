/** Rules for one certificate. Each takes what was decoded and says what it finds; none throws, none knows the time. */
import { msPerDay, alwaysNotAfterMs, alwaysNotBeforeMs } from '../profile.ts';
import { isBrokenHash } from '../x509/algorithm.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { attributesOf, commonNameId } from '../x509/distinguished-name.ts';
import { ExtensionId, anyExtendedKeyUsage, extendedKeyUsageName, extensionName } from '../x509/object-id.ts';
import { describePublicKey } from '../public-key.ts';
import type { CertificateDocument } from '../inspect/document.ts';
import { type Told, told } from './finding.ts';

export interface RuleInput {
  content: CertificateContent;
  /** What it is in a fleet, or `authority` for another CA. */
  role: CertificateDocument['role'] | 'authority';
  nowMs: number;
  /** A certificate that ends within this many days is told. */
  soonDays: number;
}

type Rule = (input: RuleInput) => Told[];

const reissue = 'issue it again: flotilla cert sign, or flotilla cert issue';
const understood: ReadonlySet<string> = new Set(Object.values(ExtensionId));
/** Bits of strength below 112 (NIST SP 800-131A). */
const minRsaBits = 2048;
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

const authority: Rule = ({ content: { known }, role }) => {
  const { basicConstraints, keyUsage, subjectKeyIdentifier, nameConstraints } = known;
  if (basicConstraints?.ca !== true) {
    if (basicConstraints?.pathLength !== undefined) {
      return [
        told(
          'error',
          'path-length-on-leaf',
          `path length ${basicConstraints.pathLength} where it is no authority`,
          'RFC 5280 forbids it, and OpenSSL refuses it',
          reissue,
        ),
      ];
    }
    if (keyUsage?.includes('keyCertSign') !== true) return [];
    return [
      told(
        'error',
        'cert-sign-on-leaf',
        'key usage keyCertSign where it is no authority',
        'a careless library would accept what its key signs',
        reissue,
      ),
    ];
  }
  const found: Told[] = [];
  const leafRole = known.extendedKeyUsage !== undefined && (known.subjectAltName?.length ?? 0) > 0;
  if (leafRole) {
    const why = 'whoever has the key of this device, operator or server can make certificates for everybody else';
    found.push(
      told(
        'error',
        'authority-on-leaf',
        'an authority that has names and purposes of a device or a server',
        why,
        'issue it without the authority bit',
      ),
    );
  }
  if (keyUsage === undefined || !keyUsage.includes('keyCertSign')) {
    const seen = keyUsage === undefined ? 'no key usage' : `key usage ${keyUsage.join(', ')}`;
    found.push(
      told(
        'error',
        'cert-sign-missing',
        `an authority with ${seen}`,
        'certificates that it signs are refused',
        'issue it with keyCertSign and cRLSign',
      ),
    );
  } else if (!keyUsage.includes('cRLSign')) {
    found.push(
      told(
        'warning',
        'crl-sign-missing',
        `key usage ${keyUsage.join(', ')}`,
        'revocation lists that it signs are refused',
        'issue it with cRLSign',
      ),
    );
  }
  if (role === 'issuing' && basicConstraints.pathLength !== 0) {
    const seen =
      basicConstraints.pathLength === undefined ? 'no path length' : `path length ${basicConstraints.pathLength}`;
    found.push(
      told(
        'warning',
        'path-length-wide',
        seen,
        'whoever gets its key can make further authorities',
        'issue it with path length 0',
      ),
    );
  } else if (role === 'authority' && basicConstraints.pathLength === undefined && nameConstraints === undefined) {
    found.push(
      told(
        'advice',
        'authority-unlimited',
        'neither path length nor name constraints',
        'it may sign anything, and authorities that may sign anything',
        'limit it before it is trusted here: a profile with name constraints',
      ),
    );
  }
  if (subjectKeyIdentifier === undefined) {
    found.push(
      told(
        'warning',
        'key-identifier-missing',
        'an authority without subjectKeyIdentifier',
        'after a rotation two authorities have one name, and chains are found by trial',
        reissue,
      ),
    );
  }
  return found;
};

const names: Rule = ({ content, role }) => {
  const { known, subject } = content;
  if (known.basicConstraints?.ca === true) return [];
  const common = attributesOf(subject, commonNameId);
  const alternative = known.subjectAltName ?? [];
  if (alternative.length === 0) {
    const why = 'the coordinator, and every TLS library since 2017, reads names from there and not from the CN';
    return [
      told('error', 'alt-name-missing', `subject ${subject.text || '(empty)'} and no subjectAltName`, why, reissue),
    ];
  }
  const found: Told[] = [];
  const cn = common[0];
  const shown = alternative.map(({ type, value }) => `${type} ${value}`).join(', ');
  const fits = alternative.some(({ value }) => value === cn || value.endsWith(`/${cn ?? ''}`));
  if (cn !== undefined && !fits) {
    const why =
      'tools that show the CN and tools that check the name speak of different holders; the coordinator refuses it for a device';
    found.push(told('error', 'name-mismatch', `CN ${JSON.stringify(cn)}, names ${shown}`, why, reissue));
  }
  const flotilla = alternative.filter(({ type, value }) => type === 'uri' && value.startsWith('flotilla://'));
  if (flotilla.length > 0 && alternative.length > 1) {
    found.push(
      told(
        'error',
        'names-several',
        shown,
        'a device or operator has one name; the coordinator refuses a second one of any kind',
        reissue,
      ),
    );
  } else if (flotilla.length === 1 && role === 'other') {
    const why =
      'the coordinator takes flotilla://<fleet>/device/<id> with CN=<id> and clientAuth alone, and the like of operators';
    found.push(told('error', 'identity-malformed', `CN ${JSON.stringify(cn ?? '')}, names ${shown}`, why, reissue));
  }
  return found;
};

const purpose: Rule = ({ content: { known }, role }) => {
  const { extendedKeyUsage: usage, keyUsage, basicConstraints } = known;
  if (basicConstraints?.ca === true) return [];
  const found: Told[] = [];
  if (usage === undefined) {
    const why = 'it may be used for everything, as a server too; the coordinator refuses it';
    found.push(
      told(
        'error',
        'purpose-missing',
        'no extended key usage',
        why,
        'issue it with clientAuth alone (devices, operators) or serverAuth (coordinator)',
      ),
    );
  } else {
    const all = usage.map(extendedKeyUsageName).join(', ');
    if (usage.includes(anyExtendedKeyUsage)) {
      found.push(
        told('error', 'purpose-any', all, 'it may be used for everything', 'issue it with the one purpose that it has'),
      );
    } else if (usage.length > 1) {
      const strict = role === 'coordinator' ? 'warning' : 'error';
      found.push(
        told(
          strict,
          'purpose-wide',
          all,
          'a device that may also be a server can pose as the coordinator; the coordinator refuses it',
          'issue it with one purpose',
        ),
      );
    }
  }
  if (keyUsage === undefined) {
    found.push(
      told(
        'warning',
        'key-usage-missing',
        'no key usage',
        'the key may be used for everything',
        'issue it with digitalSignature',
      ),
    );
  } else if (!keyUsage.includes('digitalSignature')) {
    found.push(
      told(
        'error',
        'key-usage-no-signature',
        keyUsage.join(', ') || 'empty',
        'TLS 1.3 signs with the key, and may not',
        'issue it with digitalSignature',
      ),
    );
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

/** For certificates, requests and keys alike. */
export function lintPublicKey(key: CertificateContent['publicKey']): Told[] {
  const mend = 'make a new key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256';
  if (key === undefined)
    return [told('error', 'key-unknown', 'a public key that can not be read', 'nobody can check what it signs', mend)];
  const kind = describePublicKey(key);
  const { modulusLength, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss') {
    const found: Told[] = [];
    if ((modulusLength ?? 0) < minRsaBits) {
      found.push(
        told(
          'error',
          'key-weak',
          kind,
          `RSA below ${minRsaBits} bits is within reach of a state, 512 of anybody`,
          mend,
        ),
      );
    }
    if (publicExponent < 65_537n || publicExponent % 2n === 0n) {
      found.push(
        told(
          'error',
          'exponent-small',
          `${kind}, exponent ${publicExponent}`,
          'signatures with small exponents were forged again and again where padding is checked carelessly',
          mend,
        ),
      );
    }
    return found;
  }
  if (key.asymmetricKeyType === 'ec' && (namedCurve === 'prime256v1' || namedCurve === 'secp384r1')) return [];
  const seen = `${kind}${namedCurve === undefined ? '' : ` (${namedCurve})`}`;
  return [
    told(
      'error',
      'key-not-accepted',
      seen,
      'the fleet takes EC P-256, EC P-384 and RSA, so that every device can check it',
      mend,
    ),
  ];
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function daysApart(aMs: number, bMs: number): string {
  const days = Math.abs(aMs - bMs) / msPerDay;
  return days >= 2 ? `${Math.floor(days)} days` : `${Math.ceil(days * 24)} hours`;
}
