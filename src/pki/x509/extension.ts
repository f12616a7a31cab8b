/** Extensions of certificates, requests and CRLs: the list as it stands, and the known ones with their meaning. */
import { DerReader, DerTag, contextTag, malformedDer } from '../der/read-der.ts';
import { readBoolean, readInteger, readNamedBits, readObjectId, readSmallInteger } from '../der/read-value.ts';
import { FlotillaError } from '../../error.ts';
import { type GeneralName, readGeneralName, readGeneralNames } from './general-name.ts';
import { ExtensionId, keyUsageNames } from './object-id.ts';

export interface Extension {
  oid: string;
  critical: boolean;
  /** The DER inside of the OCTET STRING. */
  value: Uint8Array;
}

const maxExtensions = 128;

/** @param content of the SEQUENCE OF Extension. Two of a kind are kept: whoever judges them must see both. */
export function readExtensions(content: Uint8Array, thing: string): Extension[] {
  const reader = new DerReader(content, thing);
  const extensions: Extension[] = [];
  while (!reader.ended && extensions.length < maxExtensions) {
    const one = reader.enter(DerTag.sequence, 'an extension');
    const oid = readObjectId(one.read(DerTag.objectId, 'an extension'), thing);
    const critical = one.optional(DerTag.boolean, 'an extension');
    const value = one.read(DerTag.octetString, 'an extension');
    one.end('an extension');
    extensions.push({ oid, critical: critical !== undefined && readBoolean(critical, thing), value });
  }
  reader.end(`a list of more than ${maxExtensions} extensions`);
  return extensions;
}

export interface NameConstraints {
  permitted: GeneralName[];
  excluded: GeneralName[];
}

export interface KnownExtensions {
  basicConstraints?: { ca: boolean; pathLength?: number };
  keyUsage?: string[];
  /** Dotted. */
  extendedKeyUsage?: string[];
  subjectAltName?: GeneralName[];
  nameConstraints?: NameConstraints;
  /** Lower-case hex. */
  subjectKeyIdentifier?: string;
  authorityKeyIdentifier?: { keyId?: string; serialHex?: string };
  crlDistributionPoints?: string[];
  authorityInfoAccess?: { method: string; location: string }[];
  certificatePolicies?: string[];
}

/** The meaning of the known extensions; of two of a kind the first. What can't be read is told in `problems`. */
export interface ExtensionReading {
  known: KnownExtensions;
  problems: { oid: string; text: string }[];
  /** Each once. */
  duplicates: string[];
}

type Reader = (value: Uint8Array, thing: string) => KnownExtensions;

const readers: Readonly<Record<string, Reader>> = {
  [ExtensionId.basicConstraints]: readBasicConstraints,
  [ExtensionId.keyUsage]: (value, thing) => ({ keyUsage: readKeyUsage(value, thing) }),
  [ExtensionId.extendedKeyUsage]: (value, thing) => ({ extendedKeyUsage: readObjectIds(value, thing) }),
  [ExtensionId.subjectAltName]: (value, thing) => ({
    subjectAltName: readGeneralNames(only(value, DerTag.sequence, thing), thing),
  }),
  [ExtensionId.nameConstraints]: readNameConstraints,
  [ExtensionId.subjectKeyIdentifier]: (value, thing) => ({
    subjectKeyIdentifier: hex(only(value, DerTag.octetString, thing)),
  }),
  [ExtensionId.authorityKeyIdentifier]: readAuthorityKeyIdentifier,
  [ExtensionId.crlDistributionPoints]: (value, thing) => ({ crlDistributionPoints: readCrlPoints(value, thing) }),
  [ExtensionId.authorityInfoAccess]: (value, thing) => ({ authorityInfoAccess: readAccess(value, thing) }),
  [ExtensionId.certificatePolicies]: (value, thing) => ({ certificatePolicies: readPolicies(value, thing) }),
};

export function readKnownExtensions(extensions: readonly Extension[]): ExtensionReading {
  const known: KnownExtensions = {};
  const problems: ExtensionReading['problems'] = [];
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (const { oid, value } of extensions) {
    if (seen.has(oid)) {
      duplicates.add(oid);
      continue;
    }
    seen.add(oid);
    try {
      Object.assign(known, readers[oid]?.(value, 'the extension'));
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      problems.push({ oid, text: `${error.message}: ${error.detail.seen ?? ''}` });
    }
  }
  return { known, problems, duplicates: [...duplicates] };
}

/** The one element that an extension consists of. */
function only(value: Uint8Array, tag: number, thing: string): Uint8Array {
  const reader = new DerReader(value, thing);
  const content = reader.read(tag, 'its value');
  reader.end('its value');
  return content;
}

function readBasicConstraints(value: Uint8Array, thing: string): KnownExtensions {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const ca = reader.optional(DerTag.boolean, 'cA');
  const pathLength = reader.optional(DerTag.integer, 'pathLenConstraint');
  reader.end('basicConstraints');
  return {
    basicConstraints: {
      ca: ca !== undefined && readBoolean(ca, thing),
      ...(pathLength === undefined ? {} : { pathLength: readSmallInteger(pathLength, thing) }),
    },
  };
}

function readKeyUsage(value: Uint8Array, thing: string): string[] {
  const bits = readNamedBits(only(value, DerTag.bitString, thing), thing);
  return bits.map((bit) => keyUsageNames[bit] ?? `bit ${bit}`);
}

function readObjectIds(value: Uint8Array, thing: string): string[] {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const ids: string[] = [];
  do ids.push(readObjectId(reader.read(DerTag.objectId, 'a key purpose'), thing));
  while (!reader.ended && ids.length < maxExtensions);
  reader.end('a list of too many key purposes');
  return ids;
}

function readNameConstraints(value: Uint8Array, thing: string): KnownExtensions {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const permitted = reader.optional(contextTag(0, true), 'the permitted names');
  const excluded = reader.optional(contextTag(1, true), 'the excluded names');
  reader.end('nameConstraints');
  return {
    nameConstraints: { permitted: readSubtrees(permitted, thing), excluded: readSubtrees(excluded, thing) },
  };
}

function readSubtrees(content: Uint8Array | undefined, thing: string): GeneralName[] {
  if (content === undefined) return [];
  const reader = new DerReader(content, thing);
  const names: GeneralName[] = [];
  while (!reader.ended && names.length < maxExtensions) {
    const subtree = reader.enter(DerTag.sequence, 'a subtree of names');
    names.push(readGeneralName(subtree.element('a subtree of names'), thing));
    // minimum 0 and no maximum: RFC 5280 knows nothing else, and DER leaves out what is the default.
    subtree.end('a subtree of names with a minimum or maximum');
  }
  reader.end('a list of too many subtrees of names');
  return names;
}

function readAuthorityKeyIdentifier(value: Uint8Array, thing: string): KnownExtensions {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const keyId = reader.optional(contextTag(0, false), 'the key identifier');
  reader.optional(contextTag(1, true), "the issuer's names");
  const serial = reader.optional(contextTag(2, false), "the issuer's serial number");
  reader.end('authorityKeyIdentifier');
  return {
    authorityKeyIdentifier: {
      ...(keyId === undefined ? {} : { keyId: hex(keyId) }),
      ...(serial === undefined ? {} : { serialHex: readInteger(serial, thing).toString(16) }),
    },
  };
}

function readCrlPoints(value: Uint8Array, thing: string): string[] {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const places: string[] = [];
  while (!reader.ended && places.length < maxExtensions) {
    const point = reader.enter(DerTag.sequence, 'a distribution point');
    const name = point.optional(contextTag(0, true), 'the name of a distribution point');
    if (name === undefined) continue;
    const full = new DerReader(name, thing).optional(contextTag(0, true), 'the name of a distribution point');
    if (full !== undefined) places.push(...readGeneralNames(full, thing).map((one) => one.value));
  }
  reader.end('a list of too many distribution points');
  return places;
}

function readAccess(value: Uint8Array, thing: string): { method: string; location: string }[] {
  const names: Readonly<Record<string, string>> = { '1.3.6.1.5.5.7.48.1': 'OCSP', '1.3.6.1.5.5.7.48.2': 'caIssuers' };
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const found: { method: string; location: string }[] = [];
  while (!reader.ended && found.length < maxExtensions) {
    const one = reader.enter(DerTag.sequence, 'an access description');
    const method = readObjectId(one.read(DerTag.objectId, 'an access method'), thing);
    const location = readGeneralName(one.element('an access location'), thing).value;
    found.push({ method: names[method] ?? method, location });
  }
  reader.end('a list of too many access descriptions');
  return found;
}

function readPolicies(value: Uint8Array, thing: string): string[] {
  const reader = new DerReader(only(value, DerTag.sequence, thing), thing);
  const policies: string[] = [];
  while (!reader.ended && policies.length < maxExtensions) {
    const one = reader.enter(DerTag.sequence, 'a policy');
    policies.push(readObjectId(one.read(DerTag.objectId, 'a policy'), thing));
  }
  if (policies.length === 0) throw malformedDer(thing, 'certificatePolicies', 'no policy');
  reader.end('a list of too many policies');
  return policies;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
