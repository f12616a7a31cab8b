/** An address as 32-bit words, the highest first: one for IPv4, four for IPv6. */
export type AddressWords = readonly number[];

/**
 * Reads exactly the texts that parseAddress reads, to the same value, ten times as fast: a selector asks it of every
 * address of a fleet.
 */
export function readAddress(text: string): AddressWords | undefined {
  if (text.length > 45) return undefined;
  if (text.includes(':')) return readIpv6(text);
  const value = readIpv4(text, 0);
  return value < 0 ? undefined : [value];
}

/** Dotted decimal without leading zeros, from `start` to the end; -1 for anything else. */
function readIpv4(text: string, start: number): number {
  let value = 0;
  let part = -1;
  let parts = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    const digit = character - zero;
    if (digit >= 0 && digit <= 9) {
      // Zero followed by a digit, or above 255, which four digits always are.
      if (part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    } else if (character === dot && part >= 0 && parts < 3) {
      value = value * 256 + part;
      part = -1;
      parts += 1;
    } else return -1;
  }
  return parts === 3 && part >= 0 ? value * 256 + part : -1;
}

function readIpv6(text: string): AddressWords | undefined {
  const groups: number[] = [];
  /** Groups before `::`. */
  let gap = -1;
  let at = 0;
  if (text.startsWith('::')) {
    gap = 0;
    at = 2;
  }
  while (at < text.length) {
    let end = text.indexOf(':', at);
    if (end === -1) end = text.length;
    if (end === text.length && text.includes('.', at)) {
      const v4 = readIpv4(text, at);
      if (v4 < 0) return undefined;
      groups.push(Math.floor(v4 / 65_536), v4 % 65_536);
      at = end;
      break;
    }
    const group = readGroup(text, at, end);
    if (group < 0) return undefined;
    groups.push(group);
    if (groups.length > 8) return undefined;
    if (end === text.length) {
      at = end;
      break;
    }
    at = end + 1;
    if (text.charCodeAt(at) === colon) {
      if (gap !== -1) return undefined;
      gap = groups.length;
      at += 1;
    } else if (at === text.length) return undefined;
  }
  if (gap === -1 ? groups.length !== 8 : groups.length > 7) return undefined;
  const missing = 8 - groups.length;
  const whole = gap === -1 ? groups : [...groups.slice(0, gap), ...zeros.slice(0, missing), ...groups.slice(gap)];
  return [0, 2, 4, 6].map((index) => whole[index]! * 65_536 + whole[index + 1]!);
}

const zeros = [0, 0, 0, 0, 0, 0, 0, 0];

/** One to four hexadecimal digits; -1 for anything else. */
function readGroup(text: string, start: number, end: number): number {
  if (end === start || end - start > 4) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(character: number): number {
  if (character >= zero && character <= zero + 9) return character - zero;
  const letter = (character | 0x20) - lowerA;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

const zero = '0'.charCodeAt(0);
const dot = '.'.charCodeAt(0);
const colon = ':'.charCodeAt(0);
const lowerA = 'a'.charCodeAt(0);
