/** Makes signing requests (PKCS#10, RFC 2986) with node:crypto alone: a device carries no ASN.1 library for it. */
import { type KeyObject, createPublicKey, sign } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { bits, context, integer, objectId, printable, sequence, set, utf8 } from './der.ts';
import { createKey, formatPem, formatPrivateKey } from './key.ts';
import { validateDeviceId } from './profile.ts';

const commonName = '2.5.4.3';
const serialNumber = '2.5.4.5';
/** PrintableString of at most 64 characters (X.520). */
const serialPattern = /^[A-Za-z0-9 '()+,./:=?-]{1,64}$/;
const ecdsaWithSha256 = '1.2.840.10045.4.3.2';

export interface DeviceKeyAndCsr {
  /** PKCS#8 PEM; stays on the device, in a file of mode 0600. */
  privateKeyPem: string;
  csrPem: string;
}

/** A new EC P-256 key and a request for that device id, made on the device. */
export async function createDeviceKeyAndCsr(deviceId: string): Promise<DeviceKeyAndCsr> {
  validateDeviceId(deviceId);
  const privateKey = await createKey();
  return { privateKeyPem: formatPrivateKey(privateKey), csrPem: await createCsr(deviceId, privateKey) };
}

export interface CsrOption {
  hardwareSerial?: string;
}

/** A request, in PEM, for a key that exists already (EC P-256). */
export async function createCsr(deviceId: string, privateKey: KeyObject, option: CsrOption = {}): Promise<string> {
  return formatPem('CERTIFICATE REQUEST', encodeCsr(deviceId, privateKey, option));
}

/** The same in DER. */
export function encodeCsr(deviceId: string, privateKey: KeyObject, { hardwareSerial }: CsrOption = {}): Buffer {
  validateDeviceId(deviceId);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new FlotillaError('usage', 'pki-key-kind', "a device's key is of another kind", {
      seen: privateKey.asymmetricKeyDetails?.namedCurve ?? privateKey.asymmetricKeyType ?? 'no private key',
      expected: 'EC P-256',
    });
  }
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  // CertificationRequestInfo: version 0, subject, key, and no attributes.
  const names = [set(sequence(objectId(commonName), utf8(deviceId)))];
  if (hardwareSerial !== undefined) {
    validateHardwareSerial(hardwareSerial);
    names.push(set(sequence(objectId(serialNumber), printable(hardwareSerial))));
  }
  const subject = sequence(...names);
  const info = sequence(integer(0), subject, publicKey, context(0));
  const signature = sign('sha256', info, privateKey);
  return sequence(info, sequence(objectId(ecdsaWithSha256)), bits(signature));
}

/** What can stand as serialNumber in a subject. */
export function isHardwareSerial(text: string): boolean {
  return serialPattern.test(text);
}

/** Refuses what is none. */
export function validateHardwareSerial(text: string): void {
  if (isHardwareSerial(text)) return;
  throw new FlotillaError('usage', 'pki-hardware-serial', 'this is no serial number of hardware', {
    seen: JSON.stringify(text.slice(0, 80)),
    expected: "one to 64 of A-Z a-z 0-9, space and '()+,-./:=?",
  });
}
