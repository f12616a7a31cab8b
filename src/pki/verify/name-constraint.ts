/** Name constraints (RFC 5280, 4.2.1.10): which names a certificate below an authority may and may not have. */
import { isBelow } from '../x509/distinguished-name.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { attributesOf, commonNameId } from '../x509/distinguished-name.ts';
import type { NameConstraints } from '../x509/extension.ts';
import type { GeneralName, GeneralNameType } from '../x509/general-name.ts';
import type { ReasonCode } from './reason.ts';

export interface ConstraintProblem {
  code: Extract<ReasonCode, 'name-not-permitted' | 'name-excluded' | 'constraint-unsupported'>;
  text: string;
}

/** Kinds that are compared; a constraint of another kind fails every name of that kind. */
const supported: ReadonlySet<GeneralNameType> = new Set(['dns', 'uri', 'ip', 'email', 'directory']);
const emailId = '1.2.840.113549.1.9.1';
const dnsLike = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)+$/;

/** The names of `content` that are checked; `leaf` also for its CN, where tools take that for a DNS name. */
export function constrainedNames(content: CertificateContent, leaf: boolean): GeneralName[] {
  const alternative = content.known.subjectAltName ?? [];
  const { subject } = content;
  const names: GeneralName[] = [...alternative];
  if (subject.relative.length > 0) names.unshift({ type: 'directory', value: subject.text, name: subject });
  for (const value of attributesOf(subject, emailId)) names.push({ type: 'email', value });
  if (leaf && !alternative.some(({ type }) => type === 'dns')) {
    for (const value of attributesOf(subject, commonNameId))
      if (dnsLike.test(value)) names.push({ type: 'dns', value });
  }
  return names;
}

export function checkNames(names: readonly GeneralName[], constraints: NameConstraints): ConstraintProblem[] {
  return names.flatMap((name) => {
    const permitted = constraints.permitted.filter(({ type }) => type === name.type);
    const excluded = constraints.excluded.filter(({ type }) => type === name.type);
    const shown = `${name.type} name ${JSON.stringify(name.value)}`;
    if (permitted.length + excluded.length > 0 && !supported.has(name.type)) {
      return { code: 'constraint-unsupported', text: `${shown}: names of this kind can't be compared here` };
    }
    const out = excluded.find((base) => matches(name, base));
    if (out !== undefined) return { code: 'name-excluded', text: `${shown} is within the excluded ${out.value}` };
    if (permitted.length === 0 || permitted.some((base) => matches(name, base))) return [];
    const allowed = permitted.map(({ value }) => value).join(', ');
    return { code: 'name-not-permitted', text: `${shown} is within none of the permitted: ${allowed}` };
  });
}

function matches(name: GeneralName, base: GeneralName): boolean {
  switch (name.type) {
    case 'dns':
      return matchesDns(name.value.toLowerCase(), base.value.toLowerCase());
    case 'uri':
      return matchesHost(hostOf(name.value), base.value.toLowerCase());
    case 'email':
      return matchesEmail(name.value, base.value);
    case 'ip':
      return matchesIp(name.bytes, base.bytes);
    case 'directory':
      return name.name !== undefined && base.name !== undefined && isBelow(name.name, base.name);
    default:
      return false;
  }
}

/** A name is below itself and below every end of it; '' is above all. OpenSSL lets a constraint begin with a dot. */
function matchesDns(name: string, base: string): boolean {
  if (base === '' || name === base) return true;
  return name.endsWith(base.startsWith('.') ? base : `.${base}`);
}

/** Of URIs: one host exactly, or with a dot before it everything below. A URI without a host is below nothing. */
function matchesHost(host: string | undefined, base: string): boolean {
  if (host === undefined) return false;
  return base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base;
}

function hostOf(uri: string): string | undefined {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri) ?? [];
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
  return host === '' ? undefined : host;
}

/** One mailbox, all of one host, or with a dot before it of all hosts below. */
function matchesEmail(name: string, base: string): boolean {
  const at = name.lastIndexOf('@');
  if (at < 0) return false;
  const host = name.slice(at + 1).toLowerCase();
  const baseAt = base.lastIndexOf('@');
  if (baseAt > 0) return name.slice(0, at) === base.slice(0, baseAt) && host === base.slice(baseAt + 1).toLowerCase();
  const wanted = base.toLowerCase().replace(/^@/, '');
  return wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted;
}

function matchesIp(address: Uint8Array | undefined, base: Uint8Array | undefined): boolean {
  if (address === undefined || base === undefined || base.length !== address.length * 2) return false;
  return address.every((byte, at) => ((byte ^ base[at]!) & base[address.length + at]!) === 0);
}
