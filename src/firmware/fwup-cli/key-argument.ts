import { closeSync, openSync, readSync } from 'node:fs';
import { FlotillaError } from '../../error.ts';
import { decodeKeyBytes, keyTextBytes, privateKeyBytes, publicKeyBytes } from '../archive/key.ts';
import { systemErrorText } from '../config/system-error.ts';

export type KeyKind = keyof typeof keyTextBytes;

const keyBytes = { public: publicKeyBytes, private: privateKeyBytes } as const;

/** A key file by fwup's rules: any owner, any mode. */
export function readKeyArgument(path: string, kind: KeyKind): Buffer {
  const buffer = Buffer.alloc(keyTextBytes[kind]);
  let length = 0;
  try {
    const descriptor = openSync(path, 'r');
    try {
      length = readSync(descriptor, buffer);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw keyProblem(`Error opening ${kind} key file '${path}': ${systemErrorText(error)}`);
  }
  const key = decodeKeyBytes(buffer.subarray(0, length), keyBytes[kind]);
  if (!key) throw keyProblem(`Error reading or decoding ${kind} key from file '${path}'`);
  return key;
}

export function decodeKeyArgument(text: string, kind: KeyKind): Buffer {
  const key = decodeKeyBytes(Buffer.from(text, 'latin1'), keyBytes[kind]);
  if (!key) throw keyProblem(`Error decoding ${kind} key`);
  return key;
}

function keyProblem(message: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-key-invalid', message);
}
