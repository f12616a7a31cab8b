import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../../error.ts';

/**
 * Ed25519 keys in fwup's format: base64 with padding and no newline. Public: 32 bytes (44 characters). Private: the
 * 32-byte seed, then the public key (88 characters).
 */
export interface KeyPairText {
  readonly publicKey: string;
  readonly privateKey: string;
}

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
export const publicKeyBytes = 32;
export const privateKeyBytes = 64;
export const signatureBytes = 64;
/** fwup takes no more public keys than this. */
export const maxPublicKeys = 10;

export function generateKeyPair(): KeyPairText {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-publicKeyBytes);
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  return { publicKey: point.toString('base64'), privateKey: Buffer.concat([seed, point]).toString('base64') };
}

/** Writes PREFIX.pub and PREFIX.priv, mode 0600; refuses to overwrite either and leaves none behind alone. */
export async function writeKeyPair(prefix: string): Promise<{ publicKeyPath: string; privateKeyPath: string }> {
  const pair = generateKeyPair();
  const publicKeyPath = `${prefix}.pub`;
  const privateKeyPath = `${prefix}.priv`;
  await writeNewFile(privateKeyPath, pair.privateKey);
  try {
    await writeNewFile(publicKeyPath, pair.publicKey);
  } catch (error) {
    await unlink(privateKeyPath);
    throw error;
  }
  return { publicKeyPath, privateKeyPath };
}

async function writeNewFile(path: string, text: string): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600).catch((cause) => {
    if (systemErrorCode(cause) === 'EEXIST') {
      throw new FlotillaError('refused', 'firmware-key-exists', `${path} exists already`, {
        suggestion: 'choose another prefix; a key is never overwritten',
        cause,
      });
    }
    throw fileError('write', path, cause);
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await handle.close();
  }
}

/** The 32 bytes of a public key file: raw, or base64 as fwup writes it. */
export async function readPublicKey(path: string): Promise<Buffer> {
  return decodeKey(await readKeyFile(path, false), publicKeyBytes, path, 'public');
}

/**
 * The 64 bytes of a private key file. Refuses a file that group or others may read, and a key whose second half is
 * not the public key of the first.
 */
export async function readPrivateKey(path: string): Promise<Buffer> {
  const key = decodeKey(await readKeyFile(path, true), privateKeyBytes, path, 'private');
  const point = createPublicKey(privateKeyObject(key)).export({ format: 'der', type: 'spki' }).subarray(-32);
  if (point.equals(key.subarray(32))) return key;
  throw keyError(path, 'private', 'its two halves do not belong together');
}

/** A key given as text, on a command line or in a file of the coordinator. */
export function decodePublicKey(text: string): Buffer {
  return decodeKey(Buffer.from(text, 'latin1'), publicKeyBytes, 'the text', 'public');
}

export function signMetaConf(metaConf: Buffer, privateKey: Buffer): Buffer {
  return sign(null, metaConf, privateKeyObject(privateKey));
}

/** Which of the keys signed `metaConf`: its index, or -1. */
export function signerOf(metaConf: Buffer, signature: Buffer, publicKeys: readonly Buffer[]): number {
  return publicKeys.findIndex((key) => {
    const object = createPublicKey({ key: Buffer.concat([spkiPrefix, key]), format: 'der', type: 'spki' });
    return verify(null, metaConf, object, signature);
  });
}

function privateKeyObject(privateKey: Buffer) {
  const key = Buffer.concat([pkcs8Prefix, privateKey.subarray(0, 32)]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

/** Characters of a key in base64, with padding. */
export const keyTextBytes = { public: 44, private: 88 } as const;

/** At most as many bytes as a key text has are read; what follows (a newline) does not matter. */
async function readKeyFile(path: string, isPrivate: boolean): Promise<Buffer> {
  const handle = await open(path, 'r').catch((cause) => {
    throw fileError('read', path, cause);
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw keyError(path, isPrivate ? 'private' : 'public', 'it is not a regular file');
    if (isPrivate && (stat.mode & 0o077) !== 0) {
      throw new FlotillaError('refused', 'firmware-key-exposed', `others may read the private key ${path}`, {
        seen: `mode ${(stat.mode & 0o777).toString(8).padStart(4, '0')}`,
        expected: 'mode 0600',
        suggestion: `chmod 600 ${path}`,
      });
    }
    const length = keyTextBytes[isPrivate ? 'private' : 'public'];
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function decodeKey(bytes: Buffer, size: number, name: string, kind: 'public' | 'private'): Buffer {
  const key = decodeKeyBytes(bytes, size);
  if (key) return key;
  throw keyError(name, kind, `it is not ${Math.ceil((size * 8) / 6)} or more base64 characters of ${size} bytes`);
}

/** fwup's rules: exactly the raw size is a raw key; else base64 up to the first other character, no bits left over. */
export function decodeKeyBytes(bytes: Buffer, size: number): Buffer | undefined {
  if (bytes.length === size) return bytes;
  const digits = Math.ceil((size * 8) / 6);
  const text = /^[A-Za-z0-9+/]*/.exec(bytes.toString('latin1'))![0];
  const key = Buffer.from(text, 'base64');
  const isKey = text.length === digits && key.length === size && key.toString('base64').replace(/=+$/, '') === text;
  return isKey ? key : undefined;
}

function keyError(name: string, kind: string, seen: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-key-invalid', `${name} is not a ${kind} key of fwup's format`, {
    seen,
    expected: `what "flotilla firmware keygen" or "fwup -g" writes`,
  });
}

function fileError(verb: string, path: string, cause: unknown): FlotillaError {
  return new FlotillaError('usage', 'firmware-key-unreadable', `cannot ${verb} the key file ${path}`, {
    seen: cause instanceof Error ? cause.message : String(cause),
    suggestion:
      systemErrorCode(cause) === 'EACCES'
        ? `check its owner and mode with ls -l ${path}`
        : 'check the path, or make a key pair with "flotilla firmware keygen"',
    cause,
  });
}
