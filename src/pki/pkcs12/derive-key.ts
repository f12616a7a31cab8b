/** Key derivation of PKCS#12 itself (RFC 7292, appendix B.2): for its MAC, and for its older ciphers. */
import { hash } from 'node:crypto';

/** What the derived bytes are for. */
export const DerivedFor = { key: 1, iv: 2, mac: 3 } as const;
type DerivedFor = (typeof DerivedFor)[keyof typeof DerivedFor];

const blockBytes: Readonly<Record<string, number>> = {
  'SHA-1': 64,
  'SHA-224': 64,
  'SHA-256': 64,
  'SHA-384': 128,
  'SHA-512': 128,
};

export interface Derivation {
  /** As encodePassphrase makes it. */
  passphrase: Uint8Array;
  hash: string;
  salt: Uint8Array;
  iterations: number;
}

/** @throws RangeError for a hash that PKCS#12 does not know */
export function derivePkcs12Key(derivation: Derivation, purpose: DerivedFor, length: number): Buffer {
  const { passphrase, salt, iterations } = derivation;
  const block = blockBytes[derivation.hash];
  if (block === undefined) throw new RangeError(`no key is derived by ${derivation.hash}`);
  const name = derivation.hash.replace('-', '').toLowerCase();
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([repeatTo(salt, block), repeatTo(passphrase, block)]);
  const parts: Buffer[] = [];
  for (let made = 0; made < length; made += parts.at(-1)!.length) {
    let digest = hash(name, Buffer.concat([diversifier, input]), 'buffer');
    for (let round = 1; round < iterations; round++) digest = hash(name, digest, 'buffer');
    parts.push(digest);
    addToBlocks(input, repeatTo(digest, block).subarray(0, block), block);
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** UTF-16, big-endian, with a zero behind it. */
export function encodePassphrase(passphrase: string): Buffer {
  return Buffer.concat([Buffer.from(passphrase, 'utf16le').swap16(), Buffer.alloc(2)]);
}

/** `bytes` again and again, in as many whole blocks as hold it; an empty one stays empty. */
function repeatTo(bytes: Uint8Array, block: number): Buffer {
  const repeated = Buffer.alloc(Math.ceil(bytes.length / block) * block);
  for (let at = 0; at < repeated.length; at++) repeated[at] = bytes[at % bytes.length]!;
  return repeated;
}

/** Every block of `input` becomes block + `addend` + 1, as big-endian numbers of that size. */
function addToBlocks(input: Buffer, addend: Buffer, block: number): void {
  for (let start = 0; start < input.length; start += block) {
    let carry = 1;
    for (let at = block - 1; at >= 0; at--) {
      carry += input[start + at]! + addend[at]!;
      input[start + at] = carry & 0xff;
      carry >>= 8;
    }
  }
}
