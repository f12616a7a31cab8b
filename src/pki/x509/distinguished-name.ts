/** Distinguished names: as people read them, and as they compare. */
import { DerReader, DerTag, type DerElement } from '../der/read-der.ts';
import { readObjectId, readText } from '../der/read-value.ts';
import { attributeNames } from './object-id.ts';

export interface NameAttribute {
  oid: string;
  value: string;
}

export interface DistinguishedName {
  /** `CN=gw-001, O=Harbour`, in the order in which it stands there. */
  text: string;
  /** Relative names; each has one attribute, seldom more. */
  relative: readonly (readonly NameAttribute[])[];
  /** Two names are the same when these are (RFC 5280, 7.1): letters folded, spaces folded, one for each relative name. */
  canonical: readonly string[];
  der: Uint8Array;
}

const maxAttributes = 64;

/** @param element the SEQUENCE of the name */
export function readName(element: DerElement, thing: string): DistinguishedName {
  const relative: NameAttribute[][] = [];
  const reader = new DerReader(element.content, thing);
  while (!reader.ended && relative.length < maxAttributes) {
    const set = reader.enter(DerTag.set, 'a relative name');
    const attributes: NameAttribute[] = [];
    do {
      const pair = set.enter(DerTag.sequence, 'an attribute of a name');
      const oid = readObjectId(pair.read(DerTag.objectId, 'an attribute of a name'), thing);
      const { tag, content } = pair.element('an attribute of a name');
      pair.end('an attribute of a name');
      attributes.push({ oid, value: readText(tag, content, thing) });
    } while (!set.ended && attributes.length < maxAttributes);
    set.end('a relative name of too many attributes');
    relative.push(attributes);
  }
  reader.end('a name of too many attributes');
  return {
    relative,
    text: relative.map((attributes) => attributes.map(formatAttribute).join(' + ')).join(', '),
    canonical: relative.map((attributes) => attributes.map(canonicalAttribute).toSorted().join('\u0001')),
    der: element.whole,
  };
}

export function sameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return a.canonical.length === b.canonical.length && isBelow(a, b);
}

/** True when `name` begins with all of `base`: the subtree of a name constraint. */
export function isBelow(name: DistinguishedName, base: DistinguishedName): boolean {
  return base.canonical.every((part, at) => name.canonical[at] === part);
}

export function attributesOf(name: DistinguishedName, oid: string): string[] {
  return name.relative.flatMap((attributes) => attributes.filter((one) => one.oid === oid).map(({ value }) => value));
}

export const commonNameId = '2.5.4.3';
export const serialNumberId = '2.5.4.5';

function formatAttribute({ oid, value }: NameAttribute): string {
  const escaped = value.replaceAll(/[\\,+"<>;]/g, String.raw`\$&`);
  return `${attributeNames[oid] ?? oid}=${escaped}`;
}

function canonicalAttribute({ oid, value }: NameAttribute): string {
  // Only ASCII letters fold, as in OpenSSL: how others fold depends on the language.
  const folded = value
    .trim()
    .replaceAll(/[ \t\n\v\f\r]+/g, ' ')
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return `${oid}=${folded}`;
}
