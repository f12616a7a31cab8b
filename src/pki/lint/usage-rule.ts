/** Rules about what a certificate may do and whom it names. */
import { attributesOf, commonNameId } from '../x509/distinguished-name.ts';
import { anyExtendedKeyUsage, extendedKeyUsageName } from '../x509/object-id.ts';
import { type Told, reissue, told } from './finding.ts';
import type { Rule } from './rule.ts';

/** Purposes of private enterprises mean nothing to others. */
const privateArc = '1.3.6.1.4.1.';

export const authority: Rule = ({ content: { known }, role }) => {
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

export const names: Rule = ({ content, role }) => {
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
  // Hosts may stand behind the name of a device, where its profile gives it some.
  const beside = alternative.filter(({ type }, at) => at > 0 && type !== 'dns' && type !== 'ip');
  if (flotilla.length > 0 && beside.length > 0) {
    found.push(
      told(
        'error',
        'names-several',
        shown,
        'a device or operator has one name, with hosts behind it at most; the coordinator refuses any other',
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

export const purpose: Rule = ({ content: { known }, role }) => {
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
    } else if (usage.filter((oid) => !oid.startsWith(privateArc)).length > 1) {
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
