/** Simple values from the content of a DER element. */
import { DerTag, malformedDer } from './read-der.ts';

const maxObjectIdBytes = 64;

/** Dotted: `2.5.29.15`. */
export function readObjectId(content: Uint8Array, thing: string): string {
  const last = content.at(-1);
  if (last === undefined || last >= 0x80 || content.length > maxObjectIdBytes) {
    throw malformedDer(thing, 'an object identifier', `${content.length} bytes`);
  }
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    if (arc === 0n && byte === 0x80) throw malformedDer(thing, 'an object identifier', 'a padded number');
    arc = arc * 128n + BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const first = arcs[0] as bigint;
  const root = first < 40n ? 0n : first < 80n ? 1n : 2n;
  return [root, first - root * 40n, ...arcs.slice(1)].join('.');
}

/** The value of an INTEGER in two's complement; refuses padding. */
export function readInteger(content: Uint8Array, thing: string): bigint {
  const [first, second] = content;
  if (first === undefined) throw malformedDer(thing, 'a number', 'no bytes');
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw malformedDer(thing, 'a number', 'a padded number');
  }
  const unsigned = BigInt(`0x${Buffer.from(content).toString('hex')}`);
  return first >= 0x80 ? unsigned - (1n << BigInt(content.length * 8)) : unsigned;
}

/** A number that code counts with: 0 to 2^31. */
export function readSmallInteger(content: Uint8Array, thing: string): number {
  const value = readInteger(content.subarray(0, 9), thing);
  if (content.length <= 8 && value >= 0n && value <= 0x7fff_ffffn) return Number(value);
  throw malformedDer(thing, 'a number', content.length > 8 ? `${content.length} bytes` : String(value));
}

export function readBoolean(content: Uint8Array, thing: string): boolean {
  const [byte] = content;
  if (content.length === 1 && (byte === 0 || byte === 0xff)) return byte === 0xff;
  throw malformedDer(thing, 'a truth value', `0x${Buffer.from(content.subarray(0, 8)).toString('hex')}`);
}

/** The bits that are set, counted from the first: `keyCertSign` is 5. */
export function readNamedBits(content: Uint8Array, thing: string): number[] {
  const bytes = readBitString(content, thing);
  const bits: number[] = [];
  for (const [at, byte] of bytes.subarray(0, 4).entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) bits.push(at * 8 + bit);
  }
  return bits;
}

/** The bytes of a BIT STRING; unused bits at its end must be 0. */
export function readBitString(content: Uint8Array, thing: string): Uint8Array {
  const [unused] = content;
  const last = content.at(-1) ?? 0;
  if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0)) {
    throw malformedDer(thing, 'a string of bits', `${unused ?? 'no'} unused bits in ${content.length} bytes`);
  }
  if (content.length > 1 && (last & ((1 << unused) - 1)) !== 0) {
    throw malformedDer(thing, 'a string of bits', 'unused bits that are set');
  }
  return content.subarray(1);
}

const decoders: Readonly<Record<number, (content: Buffer) => string>> = {
  [DerTag.utf8String]: (content) => new TextDecoder('utf-8', { fatal: true }).decode(content),
  [DerTag.printableString]: (content) => content.toString('latin1'),
  [DerTag.ia5String]: (content) => content.toString('latin1'),
  [DerTag.teletexString]: (content) => content.toString('latin1'),
  [DerTag.visibleString]: (content) => content.toString('latin1'),
  [DerTag.bmpString]: (content) => new TextDecoder('utf-16be', { fatal: true }).decode(content),
  [DerTag.universalString]: (content) =>
    String.fromCodePoint(...Array.from({ length: content.length / 4 }, (_, at) => content.readUInt32BE(at * 4))),
};

/** Text of any of the string types. */
export function readText(tag: number, content: Uint8Array, thing: string): string {
  const decode = decoders[tag];
  if (decode === undefined) throw malformedDer(thing, 'a text', `tag 0x${tag.toString(16)}`);
  try {
    return decode(Buffer.from(content.buffer, content.byteOffset, content.byteLength));
  } catch {
    throw malformedDer(thing, 'a text', `bytes that are no text of tag 0x${tag.toString(16)}`);
  }
}

const utcPattern = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const generalizedPattern = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Milliseconds since 1970. UTCTime speaks of 1950 to 2049 (RFC 5280, 4.1.2.5.1). */
export function readTime(tag: number, content: Uint8Array, thing: string): number {
  const text = Buffer.from(content.subarray(0, 32)).toString('latin1');
  const pattern = tag === DerTag.utcTime ? utcPattern : generalizedPattern;
  const [, yearText, ...rest] = pattern.exec(text) ?? [];
  const known = tag === DerTag.utcTime || tag === DerTag.generalizedTime;
  if (!known || yearText === undefined) throw malformedDer(thing, 'a time', JSON.stringify(text));
  const short = Number(yearText);
  const year = tag === DerTag.generalizedTime ? short : short < 50 ? 2000 + short : 1900 + short;
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // What is no date (the 31st of February) would roll over into the next one.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hour || second > 59) {
    throw malformedDer(thing, 'a time', JSON.stringify(text));
  }
  return date.getTime();
}
