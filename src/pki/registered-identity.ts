/**
 * A certificate of a registered authority, somebody else's, as a device of this fleet: its id comes from the names in
 * the certificate by a template. Uses node:crypto alone, as peer-identity.ts does.
 */
import type { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { isOfKind } from './key-kind.ts';
import { factsOf, type DeviceIdentity } from './peer-identity.ts';
import { ExtendedKeyUsage, isDeviceId, msPerDay } from './profile.ts';
import { describePublicKey, validatePublicKey } from './public-key.ts';

export interface Registration {
  /** Template of the device id: letters, and `{cn}`, `{ou}`, `{o}`, `{serialNumber}`, `{dns}`, `{serial}`. */
  deviceId: string;
  keyKinds: readonly string[];
  maxValidityDays?: number;
}

/** Parts of a certificate that a template may take. `serialNumber` stands in the subject, `serial` is the certificate's. */
export const templateFields = ['cn', 'ou', 'o', 'serialNumber', 'dns', 'serial'] as const;
type TemplateField = (typeof templateFields)[number];

const fieldPattern = /\{([A-Za-z]*)\}/g;
const strongHash = /sha-?(?:256|384|512)|rsassa-?pss/i;

/** What is wrong with a template, or undefined. */
export function templateProblem(template: string): string | undefined {
  const fields = [...template.matchAll(fieldPattern)].map(([, name]) => name);
  if (fields.length === 0) return 'it takes nothing from the certificate: all devices would have the same id';
  const odd = fields.find((name) => !(templateFields as readonly string[]).includes(name ?? ''));
  if (odd !== undefined) return `{${odd}} is none of {${templateFields.join('} {')}}`;
  const rest = template.replaceAll(fieldPattern, 'x');
  return isDeviceId(rest)
    ? undefined
    : 'beside the fields only a-z 0-9 . _ - may stand, a letter, digit or field first';
}

export interface RegisteredIdentity extends DeviceIdentity {
  subject: string;
}

/** @throws FlotillaError `pki-not-a-device`, with what is wrong of the certificate */
export function parseRegisteredIdentity(
  certificate: X509Certificate,
  { fleetId, authority, registration }: { fleetId: string; authority: string; registration: Registration },
): RegisteredIdentity {
  const problem = problemOf(certificate, registration);
  if (problem !== undefined) throw refused(authority, problem);
  const deviceId = fill(registration.deviceId, certificate);
  if ('problem' in deviceId) throw refused(authority, deviceId.problem);
  const facts = factsOf(certificate);
  return {
    ...facts,
    fleetId,
    deviceId: deviceId.text,
    // Two authorities may give the same number.
    serialHex: registeredSerial(authority, facts.serialHex),
    subject: namesOf(certificate),
  };
}

export function registeredSerial(authority: string, serialHex: string): string {
  return `${authority}:${serialHex}`;
}

function problemOf(certificate: X509Certificate, { keyKinds, maxValidityDays }: Registration): string | undefined {
  if (certificate.ca) return 'the certificate of an authority';
  if (!certificate.keyUsage?.includes(ExtendedKeyUsage.clientAuth)) {
    return `extended key usage ${certificate.keyUsage?.join(', ').slice(0, 120) ?? 'absent'}, clientAuth is needed`;
  }
  const algorithm = certificate.signatureAlgorithm;
  if (algorithm !== undefined && !strongHash.test(algorithm)) return `signed with ${algorithm}, SHA-256 is the least`;
  if (/flotilla:/i.test(certificate.subjectAltName ?? '')) return 'a name flotilla:, which only this fleet gives';
  if (!isOfKind(certificate.publicKey, keyKinds)) {
    return `a key ${describePublicKey(certificate.publicKey)}; the profile takes ${keyKinds.join(', ')}`;
  }
  try {
    validatePublicKey(certificate.publicKey);
  } catch {
    return `a weak key: ${describePublicKey(certificate.publicKey)}`;
  }
  const days = (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / msPerDay;
  if (maxValidityDays !== undefined && days > maxValidityDays) {
    return `valid for ${Math.ceil(days)} days; the profile takes at most ${maxValidityDays}`;
  }
  return undefined;
}

function fill(template: string, certificate: X509Certificate): { text: string } | { problem: string } {
  let problem: string | undefined;
  const text = template.replaceAll(fieldPattern, (_, name: string) => {
    const values = valuesOf(certificate, name as TemplateField);
    if (values.length === 1) return values[0]!.toLowerCase();
    problem ??= `${values.length === 0 ? 'no' : 'more than one'} ${name} in ${namesOf(certificate).slice(0, 160)}`;
    return '';
  });
  if (problem !== undefined) return { problem };
  return isDeviceId(text) ? { text } : { problem: `${JSON.stringify(text.slice(0, 80))} is no device id` };
}

const attributes: Partial<Record<TemplateField, string>> = { cn: 'CN', ou: 'OU', o: 'O', serialNumber: 'serialNumber' };

/** What stands there in plain letters; a name with an escape or a second attribute is no value at all. */
function valuesOf(certificate: X509Certificate, field: TemplateField): string[] {
  if (field === 'serial') return [certificate.serialNumber];
  if (field === 'dns') {
    const names = certificate.subjectAltName?.split(', ') ?? [];
    return names.filter((name) => name.startsWith('DNS:')).map((name) => name.slice('DNS:'.length));
  }
  const start = `${attributes[field]}=`;
  return certificate.subject
    .split('\n')
    .filter((line) => line.startsWith(start) && !/[\\"]| \+ /.test(line))
    .map((line) => line.slice(start.length));
}

function namesOf(certificate: X509Certificate): string {
  const subject = certificate.subject.replaceAll('\n', ', ');
  return [subject, certificate.subjectAltName ?? '']
    .filter((part) => part !== '')
    .join('; ')
    .slice(0, 1_000);
}

function refused(authority: string, seen: string): FlotillaError {
  return new FlotillaError('forbidden', 'pki-not-a-device', `a certificate of ${authority} is not taken`, {
    seen,
    expected: `what the profile of ${authority} asks for`,
  });
}
