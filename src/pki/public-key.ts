/** Which public keys a certificate may be issued for. */
import { createHash, type KeyObject } from 'node:crypto';
import { FlotillaError } from '../error.ts';

const curveNames: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
const minRsaBits = 2048;
/** A larger key costs every handshake more than it protects. */
const maxRsaBits = 8192;

/** `EC P-256`, `RSA 2048`, `ed25519`. */
export function describePublicKey(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return `EC ${curveNames[namedCurve ?? ''] ?? namedCurve ?? 'of unknown curve'}`;
  if (modulusLength !== undefined) return `${key.asymmetricKeyType?.toUpperCase()} ${modulusLength}`;
  return key.asymmetricKeyType ?? 'unknown';
}

/** Refuses everything but EC P-256 and P-384 and RSA of 2048 to 8192 bits with an odd exponent of at least 65537. */
export function validatePublicKey(key: KeyObject): void {
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const accepted =
    key.asymmetricKeyType === 'ec'
      ? namedCurve === 'prime256v1' || namedCurve === 'secp384r1'
      : key.asymmetricKeyType === 'rsa' &&
        modulusLength >= minRsaBits &&
        modulusLength <= maxRsaBits &&
        publicExponent >= 65_537n &&
        publicExponent % 2n === 1n;
  if (accepted) return;
  throw new FlotillaError('refused', 'pki-weak-key', 'a certificate is not issued for such a key', {
    seen: describePublicKey(key),
    expected: `EC P-256, EC P-384, or RSA of ${minRsaBits} to ${maxRsaBits} bits`,
    suggestion: 'make a new key, for example: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
  });
}

/** SHA-256 over the SubjectPublicKeyInfo (DER), hex: names a key, as `openssl pkey -pubout -outform DER | sha256sum`. */
export function keySha256Hex(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
