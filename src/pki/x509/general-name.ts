/** General names (RFC 5280, 4.2.1.6): in subjectAltName, in name constraints, in distribution points. */
import { DerReader, DerTag, contextTag, malformedDer, type DerElement } from '../der/read-der.ts';
import { readObjectId, readText } from '../der/read-value.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';

export type GeneralNameType =
  'other' | 'email' | 'dns' | 'x400' | 'directory' | 'ediParty' | 'uri' | 'ip' | 'registeredId';

export interface GeneralName {
  type: GeneralNameType;
  /** As people write it: `192.0.2.7`, `flotilla://f1/device/gw-001`, `CN=…`; in a constraint `192.0.2.0/24`. */
  value: string;
  /** The bytes of an address, or of an address and its mask. */
  bytes?: Uint8Array;
  name?: DistinguishedName;
}

const maxNames = 1024;

/** @param content of a SEQUENCE OF GeneralName */
export function readGeneralNames(content: Uint8Array, thing: string): GeneralName[] {
  const reader = new DerReader(content, thing);
  const names: GeneralName[] = [];
  while (!reader.ended && names.length < maxNames) names.push(readGeneralName(reader.element('a name'), thing));
  reader.end(`a list of more than ${maxNames} names`);
  return names;
}

export function readGeneralName({ tag, content }: DerElement, thing: string): GeneralName {
  switch (tag) {
    case contextTag(0, true):
      return {
        type: 'other',
        value: readObjectId(new DerReader(content, thing).read(DerTag.objectId, 'a name'), thing),
      };
    case contextTag(1, false):
      return { type: 'email', value: readIa5(content, thing) };
    case contextTag(2, false):
      return { type: 'dns', value: readIa5(content, thing) };
    case contextTag(3, true):
      return { type: 'x400', value: 'an X.400 address' };
    case contextTag(4, true): {
      const reader = new DerReader(content, thing);
      const name = readName(reader.readElement(DerTag.sequence, 'a directory name'), thing);
      reader.end('a directory name');
      return { type: 'directory', value: name.text, name };
    }
    case contextTag(5, true):
      return { type: 'ediParty', value: 'an EDI party' };
    case contextTag(6, false):
      return { type: 'uri', value: readIa5(content, thing) };
    case contextTag(7, false):
      return { type: 'ip', value: formatIp(content), bytes: content };
    case contextTag(8, false):
      return { type: 'registeredId', value: readObjectId(content, thing) };
    default:
      throw malformedDer(thing, 'a name', `tag 0x${tag.toString(16)}, which no kind of name has`);
  }
}

function readIa5(content: Uint8Array, thing: string): string {
  if (content.some((byte) => byte >= 0x80)) throw malformedDer(thing, 'a name', 'bytes that are not ASCII');
  return readText(DerTag.ia5String, content, thing);
}

/** 4 or 16 bytes are an address, 8 or 32 an address and its mask; anything else is shown as hex. */
function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4 || bytes.length === 16) return formatAddress(bytes);
  if (bytes.length !== 8 && bytes.length !== 32) return `0x${Buffer.from(bytes).toString('hex')}`;
  const half = bytes.length / 2;
  const mask = [...bytes.subarray(half)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const suffix = /^1*0*$/.test(mask) ? String(mask.indexOf('0') < 0 ? mask.length : mask.indexOf('0')) : undefined;
  return `${formatAddress(bytes.subarray(0, half))}/${suffix ?? formatAddress(bytes.subarray(half))}`;
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2]! << 8) | bytes[at * 2 + 1]!).toString(16));
  // The longest run of zeros, the first of several, shortens to :: (RFC 5952).
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run);
  const longest = runs.toSorted((a, b) => b.replace(/^:/, '').length - a.replace(/^:/, '').length)[0];
  if (longest === undefined) return groups.join(':');
  const text = groups.join(':').replace(longest, '::');
  return text.replaceAll(/:{3,}/g, '::');
}
