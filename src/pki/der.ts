/** The little of DER (X.690) that is written here without a library: a definite length, and the types of requests and keys. */

const tagOf = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  objectId: 0x06,
  text: 0x0c,
  printable: 0x13,
  sequence: 0x30,
  set: 0x31,
} as const;
/** Context-specific, constructed: `[n]`. */
const contextTag = 0xa0;

export const sequence = (...parts: Uint8Array[]): Buffer => element(tagOf.sequence, ...parts);
export const set = (...parts: Uint8Array[]): Buffer => element(tagOf.set, ...parts);
export const octets = (bytes: Uint8Array): Buffer => element(tagOf.octets, bytes);
/** Of the letters, digits and `'()+,-./:=?` and space that X.680 calls printable. */
export const printable = (text: string): Buffer => element(tagOf.printable, Buffer.from(text));
export const utf8 = (text: string): Buffer => element(tagOf.text, Buffer.from(text));
/** A whole number of bytes: no bit of the last one is unused. */
export const bits = (bytes: Uint8Array): Buffer => element(tagOf.bits, Buffer.of(0), bytes);
export const context = (number: number, ...parts: Uint8Array[]): Buffer => element(contextTag + number, ...parts);

/** 0 and more, in the fewest bytes whose first bit is not a sign. */
export function integer(value: number | bigint): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return bytes[0]! > 0x7f ? element(tagOf.integer, Buffer.of(0), bytes) : element(tagOf.integer, bytes);
}

/** `1.2.840.10045.4.3.2`: the first two numbers share a byte, all others are in base 128. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const digits = [number % 128];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left % 128) | 128);
    return digits;
  });
  return element(tagOf.objectId, Buffer.from(bytes));
}

/** Of any tag. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

/** Below 128 one byte; else the number of bytes that follow, with the first bit set. */
function lengthOf(length: number): Buffer {
  if (length < 128) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}
