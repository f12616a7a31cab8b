/**
 * PKCS#12 read (RFC 7292): keys and certificates behind a passphrase. node-forge's own reader is not used: it knows no
 * EC certificates and derives keys in JavaScript, without a bound on the rounds that a file asks for.
 *
 *   PFX ::= SEQUENCE { version 3, ContentInfo (data: AuthenticatedSafe), MacData OPTIONAL }
 *   AuthenticatedSafe ::= SEQUENCE OF ContentInfo (data or encryptedData: SafeContents)
 *   SafeContents ::= SEQUENCE OF SafeBag { bagId, [0] value, SET OF attribute }
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { DerReader, DerTag, contextTag, malformedDer } from '../der/read-der.ts';
import { readObjectId, readSmallInteger, readText } from '../der/read-value.ts';
import { type PassphraseEncryption, readEncryption } from '../x509/encryption.ts';
import { decryptByPassphrase, requireRounds } from './cipher.ts';
import { DerivedFor, derivePkcs12Key, encodePassphrase } from './derive-key.ts';
import { fromBer } from './from-ber.ts';
import { Pkcs12Id, macHashIds } from './object-id.ts';

export const maxPkcs12Bytes = 1024 * 1024;
const maxBags = 256;

export interface Pkcs12Mac {
  hash: string;
  rounds: number;
  salt: Uint8Array;
  digest: Uint8Array;
}

/** What can be seen without the passphrase. */
export interface Pkcs12Shell {
  mac: Pkcs12Mac | undefined;
  /** What the MAC is over. */
  authenticated: Uint8Array;
  safes: { encryption: PassphraseEncryption | undefined; content: Uint8Array }[];
}

export interface Pkcs12Bag {
  /** PKCS#8 or a certificate; DER. */
  der: Uint8Array;
  friendlyName: string | undefined;
  /** Lower-case hex: a key and its certificate have the same. */
  localKeyId: string | undefined;
}

export interface Pkcs12Content {
  keys: (Pkcs12Bag & { encryption: PassphraseEncryption | undefined })[];
  certificates: Pkcs12Bag[];
}

export function readPkcs12Shell(bytes: Uint8Array, thing: string): Pkcs12Shell {
  if (bytes.length > maxPkcs12Bytes) {
    throw new FlotillaError('usage', 'pki-pkcs12-too-large', `${thing} is too large for PKCS#12`, {
      seen: `${bytes.length} bytes`,
      expected: `at most ${maxPkcs12Bytes} bytes`,
    });
  }
  const file = new DerReader(fromBer(bytes, thing), thing);
  const pfx = file.enter(DerTag.sequence, 'its outermost sequence');
  file.end('its outermost sequence');
  const version = readSmallInteger(pfx.read(DerTag.integer, 'the version'), thing);
  if (version !== 3) throw malformedDer(thing, 'the version', String(version));
  const authenticated = readData(pfx, thing);
  const macField = pfx.optional(DerTag.sequence, 'the MAC');
  pfx.end('the MAC');
  const safes: Pkcs12Shell['safes'] = [];
  const list = new DerReader(fromBer(authenticated, thing), thing).enter(DerTag.sequence, 'the safes');
  while (!list.ended && safes.length < maxBags) safes.push(readSafe(list, thing));
  list.end('a list of too many safes');
  return { mac: macField === undefined ? undefined : readMac(macField, thing), authenticated, safes };
}

/** @throws `pki-passphrase-wrong` when the MAC does not hold, or where there is none, the decryption */
export async function openPkcs12(shell: Pkcs12Shell, passphrase: string, thing: string): Promise<Pkcs12Content> {
  if (shell.mac !== undefined && !holdsMac(shell.mac, shell.authenticated, passphrase)) throw wrongPassphrase(thing);
  const content: Pkcs12Content = { keys: [], certificates: [] };
  for (const { encryption, content: bytes } of shell.safes) {
    const plain = encryption === undefined ? bytes : await decryptByPassphrase(encryption, bytes, passphrase);
    if (plain === undefined) throw wrongPassphrase(thing);
    const bags = new DerReader(fromBer(plain, thing), thing).enter(DerTag.sequence, 'the bags');
    while (!bags.ended) {
      if (content.keys.length + content.certificates.length >= maxBags)
        throw malformedDer(thing, 'the bags', 'too many');
      await readBag(bags.enter(DerTag.sequence, 'a bag'), content, passphrase, thing);
    }
  }
  return content;
}

/** A ContentInfo of type data: its octets. */
function readData(reader: DerReader, thing: string): Uint8Array {
  const info = reader.enter(DerTag.sequence, 'the content');
  const type = readObjectId(info.read(DerTag.objectId, 'the type of the content'), thing);
  if (type !== Pkcs12Id.data) {
    throw new FlotillaError('usage', 'pki-pkcs12-public-key', `${thing} is not protected by a passphrase`, {
      seen: `content of type ${type}`,
      expected: 'password-based PKCS#12',
    });
  }
  return info.enter(contextTag(0, true), 'the content').read(DerTag.octetString, 'the content');
}

function readSafe(list: DerReader, thing: string): Pkcs12Shell['safes'][number] {
  const info = list.enter(DerTag.sequence, 'a safe');
  const type = readObjectId(info.read(DerTag.objectId, 'the type of a safe'), thing);
  const value = info.enter(contextTag(0, true), 'the content of a safe');
  if (type === Pkcs12Id.data) return { encryption: undefined, content: value.read(DerTag.octetString, 'a safe') };
  if (type !== Pkcs12Id.encryptedData) throw malformedDer(thing, 'a safe', `a safe of type ${type}`);
  const data = value.enter(DerTag.sequence, 'an encrypted safe');
  data.read(DerTag.integer, 'the version of an encrypted safe');
  const inner = data.enter(DerTag.sequence, 'an encrypted safe');
  inner.read(DerTag.objectId, 'an encrypted safe');
  const encryption = readEncryption(inner.read(DerTag.sequence, 'the encryption of a safe'), thing);
  return { encryption, content: inner.read(contextTag(0, false), 'an encrypted safe') };
}

function readMac(field: Uint8Array, thing: string): Pkcs12Mac {
  const reader = new DerReader(field, thing);
  const info = reader.enter(DerTag.sequence, 'the MAC');
  const id = info.enter(DerTag.sequence, 'the hash of the MAC').read(DerTag.objectId, 'the hash of the MAC');
  const digest = info.read(DerTag.octetString, 'the MAC');
  const salt = reader.read(DerTag.octetString, 'the salt of the MAC');
  const rounds = reader.optional(DerTag.integer, 'the rounds of the MAC');
  const oid = readObjectId(id, thing);
  return {
    hash: macHashIds[oid] ?? oid,
    digest,
    salt,
    rounds: rounds === undefined ? 1 : readSmallInteger(rounds, thing),
  };
}

function holdsMac(mac: Pkcs12Mac, data: Uint8Array, passphrase: string): boolean {
  requireRounds(mac.rounds);
  if (!Object.values(macHashIds).includes(mac.hash)) {
    throw new FlotillaError('usage', 'pki-encryption-unknown', 'its MAC is of a kind that is not known here', {
      seen: mac.hash,
      expected: 'HMAC with SHA-1 or SHA-2',
    });
  }
  // An empty passphrase is written by some as two zero bytes, by others as none.
  const encodings = passphrase === '' ? [encodePassphrase(''), Buffer.alloc(0)] : [encodePassphrase(passphrase)];
  return encodings.some((encoded) => {
    const derivation = { passphrase: encoded, hash: mac.hash, salt: mac.salt, iterations: mac.rounds };
    const key = derivePkcs12Key(derivation, DerivedFor.mac, mac.digest.length);
    const digest = createHmac(mac.hash.replace('-', ''), key).update(data).digest();
    return digest.length === mac.digest.length && timingSafeEqual(digest, mac.digest);
  });
}

async function readBag(bag: DerReader, content: Pkcs12Content, passphrase: string, thing: string): Promise<void> {
  const type = readObjectId(bag.read(DerTag.objectId, 'the type of a bag'), thing);
  const value = bag.enter(contextTag(0, true), 'the content of a bag');
  const attributes = readAttributes(bag.optional(DerTag.set, 'the attributes of a bag'), thing);
  if (type === Pkcs12Id.keyBag) {
    content.keys.push({ ...attributes, der: value.readElement(DerTag.sequence, 'a key').whole, encryption: undefined });
  } else if (type === Pkcs12Id.shroudedKeyBag) {
    const info = value.enter(DerTag.sequence, 'an encrypted key');
    const encryption = readEncryption(info.read(DerTag.sequence, 'the encryption of a key'), thing);
    const encrypted = info.read(DerTag.octetString, 'an encrypted key');
    const der = await decryptByPassphrase(encryption, encrypted, passphrase);
    if (der === undefined) throw wrongPassphrase(thing);
    content.keys.push({ ...attributes, der, encryption });
  } else if (type === Pkcs12Id.certificateBag) {
    const inner = value.enter(DerTag.sequence, 'a certificate');
    const kind = readObjectId(inner.read(DerTag.objectId, 'a certificate'), thing);
    if (kind !== Pkcs12Id.x509Certificate) return;
    const der = inner.enter(contextTag(0, true), 'a certificate').read(DerTag.octetString, 'a certificate');
    content.certificates.push({ ...attributes, der });
  }
}

function readAttributes(field: Uint8Array | undefined, thing: string): Omit<Pkcs12Bag, 'der'> {
  let friendlyName: string | undefined;
  let localKeyId: string | undefined;
  const reader = new DerReader(field ?? Buffer.alloc(0), thing);
  while (!reader.ended) {
    const one = reader.enter(DerTag.sequence, 'an attribute');
    const oid = readObjectId(one.read(DerTag.objectId, 'an attribute'), thing);
    const values = one.enter(DerTag.set, 'the values of an attribute');
    if (oid === Pkcs12Id.friendlyName)
      friendlyName = readText(DerTag.bmpString, values.read(DerTag.bmpString, 'a name'), thing);
    if (oid === Pkcs12Id.localKeyId) {
      localKeyId = Buffer.from(values.read(DerTag.octetString, 'the id of a key')).toString('hex');
    }
  }
  return { friendlyName, localKeyId };
}

function wrongPassphrase(thing: string): FlotillaError {
  return new FlotillaError('usage', 'pki-passphrase-wrong', `${thing} does not open with this passphrase`, {
    suggestion: 'check the passphrase; if it is right, the file is damaged: take it again from where it was made',
  });
}
