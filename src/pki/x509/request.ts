/**
 * A certificate signing request taken apart (RFC 2986).
 *
 *   CertificationRequest ::= SEQUENCE { SEQUENCE { version 0, subject, publicKey, [0] attributes },
 *                                       signatureAlgorithm, signature BIT STRING }
 */
import type { KeyObject } from 'node:crypto';
import { DerReader, DerTag, contextTag } from '../der/read-der.ts';
import { readBitString, readObjectId, readSmallInteger } from '../der/read-value.ts';
import { type SignatureAlgorithm, readSignatureAlgorithm } from './algorithm.ts';
import { readPublicKey } from './certificate.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import { type Extension, type ExtensionReading, readExtensions, readKnownExtensions } from './extension.ts';

export interface RequestContent extends ExtensionReading {
  der: Uint8Array;
  signed: Uint8Array;
  version: number;
  subject: DistinguishedName;
  spki: Uint8Array;
  publicKey: KeyObject | undefined;
  /** Asked for; a wish of the requester. */
  extensions: Extension[];
  /** Dotted, of all attributes. */
  attributes: string[];
  signatureAlgorithm: SignatureAlgorithm;
  signature: Uint8Array;
}

const extensionRequestId = '1.2.840.113549.1.9.14';
const maxAttributes = 64;

export function decodeRequest(der: Uint8Array, thing = 'the signing request'): RequestContent {
  const file = new DerReader(der, thing);
  const outer = file.enter(DerTag.sequence, 'its outermost sequence');
  file.end('its outermost sequence');
  const signed = outer.readElement(DerTag.sequence, 'what is signed');
  const signatureAlgorithm = readSignatureAlgorithm(outer, thing);
  const signature = readBitString(outer.read(DerTag.bitString, 'the signature'), thing);
  outer.end('the signature');

  const reader = new DerReader(signed.content, thing);
  const version = readSmallInteger(reader.read(DerTag.integer, 'the version'), thing);
  const subject = readName(reader.readElement(DerTag.sequence, 'the subject'), thing);
  const spki = reader.readElement(DerTag.sequence, 'the public key').whole;
  // RFC 2986 wants the field even when it is empty; some tools leave it out.
  const field = reader.optional(contextTag(0, true), 'the attributes');
  reader.end('what is signed');
  const { attributes, extensions } = readAttributes(field ?? Buffer.alloc(0), thing);
  return {
    der,
    signed: signed.whole,
    version,
    subject,
    spki,
    publicKey: readPublicKey(spki),
    attributes,
    extensions,
    ...readKnownExtensions(extensions),
    signatureAlgorithm,
    signature,
  };
}

function readAttributes(field: Uint8Array, thing: string): Pick<RequestContent, 'attributes' | 'extensions'> {
  const attributes: string[] = [];
  const extensions: Extension[] = [];
  const reader = new DerReader(field, thing);
  while (!reader.ended && attributes.length < maxAttributes) {
    const one = reader.enter(DerTag.sequence, 'an attribute');
    const oid = readObjectId(one.read(DerTag.objectId, 'an attribute'), thing);
    const values = one.enter(DerTag.set, 'the values of an attribute');
    one.end('an attribute');
    attributes.push(oid);
    if (oid !== extensionRequestId) continue;
    extensions.push(...readExtensions(values.read(DerTag.sequence, 'the requested extensions'), thing));
    values.end('the requested extensions');
  }
  reader.end('a list of too many attributes');
  return { attributes, extensions };
}
