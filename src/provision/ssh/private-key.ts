/** A technician's private key, opened once for all hosts: deriving a key from a passphrase is slow on purpose. */
import ssh2, { type ParsedKey } from 'ssh2';
import { FlotillaError } from '../../error.ts';

export type PrivateKey = ParsedKey;

/** @throws FlotillaError `ssh-key-unreadable`, `ssh-key-passphrase` */
export function readPrivateKey(pem: string, passphrase?: string): PrivateKey {
  const parsed = ssh2.utils.parseKey(pem, passphrase);
  // A file may hold several; ssh takes the first as well.
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key !== undefined && !(key instanceof Error) && key.isPrivateKey()) return key;
  const seen = key instanceof Error ? key.message : 'a public key';
  if (isEncryptedKey(pem)) {
    throw new FlotillaError('usage', 'ssh-key-passphrase', 'the passphrase does not open the private key', {
      seen: passphrase === undefined ? 'none was given' : seen,
      suggestion: 'try it with ssh-keygen -y -f FILE',
    });
  }
  throw new FlotillaError('usage', 'ssh-key-unreadable', 'the private key can not be used', {
    seen,
    expected: 'a private key of OpenSSH, PEM or PuTTY',
    suggestion: 'check the key file',
  });
}

/** OpenSSH's own format names its cipher first of all, the others say it in words. */
export function isEncryptedKey(pem: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(pem)?.[1];
  if (body === undefined) return /ENCRYPTED|^Encryption: (?!none)/m.test(pem);
  const bytes = Buffer.from(body, 'base64');
  const start = 'openssh-key-v1\0'.length;
  if (bytes.length < start + 4) return false;
  const length = bytes.readUInt32BE(start);
  return bytes.toString('latin1', start + 4, start + 4 + Math.min(length, 64)) !== 'none';
}
