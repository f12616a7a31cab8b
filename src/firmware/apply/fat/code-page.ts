/**
 * Code page 850, in which fwup takes the names of configurations and writes short names. Bytes below 0x80 are ASCII.
 * FAT's upper case is its own: long names compare by Unicode's simple upper case, short names lose their accents.
 */
const upperHalf =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ' +
  '╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0';

/** For letters that have no plain form by taking the accent off. */
const plain = new Map([...'øOØOæÆðÐþÞıIñÑÑÑ'.matchAll(/(.)(.)/gu)].map(([, from, to]) => [from!, to!]));

/** One UTF-16 unit (all of the code page are in the basic plane). */
export function unicodeOf(byte: number): string {
  return byte < 0x80 ? String.fromCharCode(byte) : upperHalf[byte - 0x80]!;
}

/** The byte of a character, or undefined if the code page has none. */
export function byteOf(character: string): number | undefined {
  const code = character.charCodeAt(0);
  if (code < 0x80) return code;
  const index = upperHalf.indexOf(character);
  return index < 0 ? undefined : index + 0x80;
}

/** What long names are compared by: each unit alone, never to or from ASCII. */
export function upperOf(unit: string): string {
  const upper = unit.toUpperCase();
  const code = unit.charCodeAt(0);
  if (code < 0x80) return upper;
  if (code === 0xb5 || upper.length !== 1 || upper.charCodeAt(0) < 0x80) return unit;
  return upper;
}

/** The byte that stands for a byte above 0x7f in a short name. */
export function shortNameByte(byte: number): number {
  const character = unicodeOf(byte);
  const decomposed = character.normalize('NFD');
  const base = decomposed.charAt(0);
  const isLetter = decomposed.length > 1 && /^[a-z]$/i.test(base);
  return byteOf(plain.get(character) ?? (isLetter ? base.toUpperCase() : character)) ?? byte;
}
