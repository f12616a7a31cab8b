/**
 * A device's signing request in the fewest parts: what `createCsr` makes, written by hand. A device that renews needs
 * node:crypto for it and nothing else; the ASN.1 library would be the largest part of an agent.
 *
 *   SEQUENCE {
 *     SEQUENCE { INTEGER 0, SEQUENCE { SET { SEQUENCE { OID commonName, UTF8String } } }, SubjectPublicKeyInfo, [0] {} }
 *     SEQUENCE { OID ecdsa-with-SHA256 }
 *     BIT STRING signature
 *   }
 */
import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { validateDeviceId } from './profile.ts';

const tags = { integer: 0x02, bitString: 0x03, objectId: 0x06, utf8String: 0x0c, sequence: 0x30, set: 0x31 } as const;
const noAttributes = Buffer.from([0xa0, 0x00]);
const commonName = Buffer.from([0x55, 0x04, 0x03]); // 2.5.4.3
const ecdsaWithSha256 = Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]); // 1.2.840.10045.4.3.2

/** PKCS#10 in DER for an EC key, signed by it with SHA-256. */
export function encodeCsr(deviceId: string, privateKey: KeyObject): Buffer {
  validateDeviceId(deviceId);
  if (privateKey.asymmetricKeyType !== 'ec') {
    throw new FlotillaError('ours', 'pki-csr-key', 'a request is written for an EC key only', {
      seen: privateKey.asymmetricKeyType ?? 'a secret',
    });
  }
  const name = encode(tags.sequence, encode(tags.objectId, commonName), encode(tags.utf8String, Buffer.from(deviceId)));
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const info = encode(
    tags.sequence,
    encode(tags.integer, Buffer.from([0])),
    encode(tags.sequence, encode(tags.set, name)),
    publicKey,
    noAttributes,
  );
  const signature = sign('sha256', info, { key: privateKey, dsaEncoding: 'der' });
  return encode(
    tags.sequence,
    info,
    encode(tags.sequence, encode(tags.objectId, ecdsaWithSha256)),
    encode(tags.bitString, Buffer.from([0]), signature),
  );
}

function encode(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

/** A request has less than 64 KiB: short form, or one or two bytes of length. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, Math.floor(length / 0x100), length % 0x100];
}
