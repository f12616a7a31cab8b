import { createCipheriv, createDecipheriv } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import type { ByteString } from '../config/source-text.ts';
import { blockBytes } from './segment-cache.ts';

/**
 * Disk encryption as Linux's dm-crypt reads it: every 512-byte block on its own, with its number as the IV (16 bytes,
 * little-endian). The number counts from the first block of the image, not of the disk.
 */
export interface DiskCipher {
  /** Whole blocks; `firstBlock` is the number of the first one. */
  encrypt(bytes: Buffer, firstBlock: number): Buffer;
  decrypt(bytes: Buffer, firstBlock: number): Buffer;
}

const maxCipherName = 32;
const maxSecret = 128;
const algorithms = {
  'aes-cbc-plain': { name: 'aes-256-cbc', keyBytes: 32, numberBytes: 4 },
  'aes-xts-plain64': { name: 'aes-256-xts', keyBytes: 64, numberBytes: 8 },
} as const;

/** `cipher=NAME` and `secret=HEX`, in any number of texts and separated by commas in each. */
export function diskCipher(options: readonly ByteString[]): DiskCipher {
  const { cipher, secret } = readOptions(options);
  if ((cipher === '') !== (secret === '')) {
    throw wrong('Both a cipher and secret are required if one is supplied');
  }
  if (cipher !== 'aes-cbc-plain' && cipher !== 'aes-xts-plain64') {
    throw wrong(`Unsupported disk encryption: ${cipher}`, Object.keys(algorithms).join(' or '));
  }
  const { name, keyBytes, numberBytes } = algorithms[cipher];
  const key = decodeSecret(secret, keyBytes, cipher === 'aes-cbc-plain');
  if (!key) throw wrong(`${cipher} requires a hex-encoded ${keyBytes * 8}-bit key`, `${keyBytes * 2} hex digits`);
  const iv = (block: number): Buffer => {
    const out = Buffer.alloc(16);
    out.writeBigUInt64LE(BigInt(block), 0);
    return out.fill(0, numberBytes);
  };
  const each = (bytes: Buffer, firstBlock: number, make: (iv: Buffer) => CipherStep): Buffer => {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const step = make(iv(firstBlock + at / blockBytes)).setAutoPadding(false);
      parts.push(step.update(bytes.subarray(at, at + blockBytes)), step.final());
    }
    return Buffer.concat(parts);
  };
  return {
    encrypt: (bytes, firstBlock) => each(bytes, firstBlock, (vector) => createCipheriv(name, key, vector)),
    decrypt: (bytes, firstBlock) => each(bytes, firstBlock, (vector) => createDecipheriv(name, key, vector)),
  };
}

interface CipherStep {
  setAutoPadding(on: boolean): this;
  update(bytes: Buffer): Buffer;
  final(): Buffer;
}

function readOptions(options: readonly ByteString[]): { cipher: string; secret: string } {
  const found = { cipher: '', secret: '' };
  for (const option of options.flatMap((text) => text.split(','))) {
    const equals = option.indexOf('=');
    if (equals < 0) throw wrong(`Expecting '=' for in parameter '${option}'`, 'cipher=NAME or secret=HEX');
    const name = option.slice(0, equals);
    if (name === 'cipher') found.cipher = option.slice(equals + 1).slice(0, maxCipherName);
    else if (name === 'secret') found.secret = option.slice(equals + 1).slice(0, maxSecret);
    else throw wrong(`Unexpected parameter: ${option}`, 'cipher=NAME or secret=HEX');
  }
  return found;
}

/** Hex; fwup 1.5.0 took base64 for its one cipher of then, and bundles of that time still do. */
function decodeSecret(text: string, bytes: number, alsoBase64: boolean): Buffer | undefined {
  if (new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`).test(text)) return Buffer.from(text, 'hex');
  if (!alsoBase64 || !/^[A-Za-z0-9+/]+=*$/.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  return key.length === bytes ? key : undefined;
}

/** The secret is never part of a message. */
function wrong(message: string, expected?: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-cipher-invalid', message, expected === undefined ? {} : { expected });
}
