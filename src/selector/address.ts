/**
 * Addresses and networks of both families, as numbers. Own code because this folder may not use node:net, and
 * because the forms that parsers forgive (`10.1`, `0x0a.1`, leading zeros) are how a wrong device gets selected.
 */
export interface Network {
  family: 4 | 6;
  base: bigint;
  /** 0 to 32 or 0 to 128. */
  bits: number;
}

const widthOf = { 4: 32, 6: 128 } as const;

export interface Address {
  family: 4 | 6;
  value: bigint;
}

/** Strict: dotted decimal without leading zeros, or RFC 4291 text. Undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { family: 4, value: v4 };
  const v6 = parseIpv6(text);
  return v6 === undefined ? undefined : { family: 6, value: v6 };
}

export type NetworkProblem = 'address' | 'prefix' | 'host-bits';

/** An address, `address/bits`, or for IPv4 `address/netmask` and `address/hostmask`. Host bits must be zero. */
export function parseNetwork(text: string): Network | NetworkProblem {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return 'address';
  const { family, value } = address;
  const bits = slash === -1 ? widthOf[family] : parseBits(text.slice(slash + 1), family);
  if (bits === undefined) return 'prefix';
  const network = { family, base: value, bits };
  return maskOff(network) === value ? network : 'host-bits';
}

/** `network` without its host bits, as text: what the writer of `10.1.1.10/24` may have meant. */
export function suggestNetwork(text: string): string | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(text.slice(0, Math.max(slash, 0)));
  if (address === undefined) return undefined;
  const bits = parseBits(text.slice(slash + 1), address.family);
  if (bits === undefined) return undefined;
  const network = { family: address.family, base: address.value, bits };
  return formatNetwork({ ...network, base: maskOff(network) });
}

export function contains(network: Network, address: Address): boolean {
  return network.family === address.family && maskOff({ ...network, base: address.value }) === network.base;
}

/** Canonical text (RFC 5952 for IPv6); a single address has no `/bits`. */
export function formatNetwork({ family, base, bits }: Network): string {
  const address = family === 4 ? formatIpv4(base) : formatIpv6(base);
  return bits === widthOf[family] ? address : `${address}/${bits}`;
}

function maskOff({ family, base, bits }: Network): bigint {
  const hostBits = BigInt(widthOf[family] - bits);
  return (base >> hostBits) << hostBits;
}

function parseBits(text: string, family: 4 | 6): number | undefined {
  if (/^\d{1,3}$/u.test(text)) return Number(text) <= widthOf[family] ? Number(text) : undefined;
  const mask = family === 4 ? parseIpv4(text) : undefined;
  if (mask === undefined) return undefined;
  return prefixLength(mask) ?? prefixLength(mask ^ 0xffffffffn);
}

/** Leading ones of a netmask; undefined when a one follows a zero. */
function prefixLength(mask: bigint): number | undefined {
  const digits = mask.toString(2).padStart(32, '0');
  const ones = digits.indexOf('0');
  if (ones === -1) return 32;
  return digits.includes('1', ones) ? undefined : ones;
}

function parseIpv4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/u.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  if (text.length > 45 || !text.includes(':')) return undefined;
  const halves = text.split('::');
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  if (halves.length === 1) return head?.length === 8 ? join(head) : undefined;
  const tail = parseGroups(halves[1] ?? '', true);
  if (halves.length !== 2 || head === undefined || tail === undefined || head.length + tail.length > 7)
    return undefined;
  return join([...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]);
}

/** Groups of 16 bits; a dotted IPv4 address may stand for the last two. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const v4 = isEnd && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (v4 !== undefined) groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/u.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function join(groups: number[]): bigint {
  let value = 0n;
  for (const group of groups) value = (value << 16n) | BigInt(group);
  return value;
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.start === -1) return text.join(':');
  return `${text.slice(0, best.start).join(':')}::${text.slice(best.start + best.length).join(':')}`;
}
