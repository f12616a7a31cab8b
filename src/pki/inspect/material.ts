/** What a file holds: certificates, keys, requests, revocation lists, PKCS#12; PEM or DER, found out by looking. */
import { FlotillaError } from '../../error.ts';
import { DerReader, DerTag, contextTag } from '../der/read-der.ts';
import { readObjectId } from '../der/read-value.ts';
import { type PemBlock, readPemBlocks } from './pem.ts';

export type MaterialKind =
  'certificate' | 'request' | 'revocation-list' | 'private-key' | 'encrypted-key' | 'public-key' | 'pkcs12';

export interface Material {
  kind: MaterialKind;
  encoding: 'PEM' | 'DER';
  der: Uint8Array;
  /** Of PEM: what OpenSSL reads, with its headers. */
  pem?: string;
  /** `certificate 2 of authority.crt`, for errors. */
  thing: string;
}

const kindsByLabel: Readonly<Record<string, MaterialKind>> = {
  CERTIFICATE: 'certificate',
  'X509 CERTIFICATE': 'certificate',
  'TRUSTED CERTIFICATE': 'certificate',
  'CERTIFICATE REQUEST': 'request',
  'NEW CERTIFICATE REQUEST': 'request',
  'X509 CRL': 'revocation-list',
  'PRIVATE KEY': 'private-key',
  'EC PRIVATE KEY': 'private-key',
  'RSA PRIVATE KEY': 'private-key',
  'ENCRYPTED PRIVATE KEY': 'encrypted-key',
  'PUBLIC KEY': 'public-key',
  PKCS12: 'pkcs12',
};

/** Accompanies an EC key in files of OpenSSL and says nothing that the key does not say. */
const silentLabels: ReadonlySet<string> = new Set(['EC PARAMETERS']);

/** @param source names the file in errors. Never returns an empty list. */
export function readMaterial(bytes: Uint8Array, source: string): Material[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const blocks = bytes[0] === DerTag.sequence && !text.startsWith('0-') ? [] : readPemBlocks(text, source);
  const told = blocks.filter(({ label }) => !silentLabels.has(label));
  if (told.length === 0) return [readDerMaterial(bytes, source)];
  const counts = new Map<MaterialKind, number>();
  return told.map((block) => {
    const kind = kindOf(block, source);
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const thing = told.length === 1 ? source : `${kind} ${count} of ${source}`;
    return { kind, encoding: 'PEM', der: block.der, pem: block.text, thing };
  });
}

function kindOf({ label, headers }: PemBlock, source: string): MaterialKind {
  const kind = kindsByLabel[label];
  if (kind === undefined) throw unknown(source, `a PEM block ${JSON.stringify(label)}`);
  const encrypted = headers.some((line) => /^Proc-Type:.*ENCRYPTED/.test(line));
  return kind === 'private-key' && encrypted ? 'encrypted-key' : kind;
}

function readDerMaterial(der: Uint8Array, source: string): Material {
  const kind = guessDer(der);
  if (kind !== undefined) return { kind, encoding: 'DER', der, thing: source };
  const head = Buffer.from(der.subarray(0, 16)).toString('hex');
  throw unknown(source, der.length === 0 ? 'an empty file' : `${der.length} bytes that begin with ${head}`);
}

/** By the first elements inside of the outermost sequence, which differ for every kind. */
function guessDer(der: Uint8Array): MaterialKind | undefined {
  if (der[0] === DerTag.sequence && der[1] === 0x80) return 'pkcs12'; // BER of indefinite length: only PKCS#12 comes so
  try {
    const outer = new DerReader(der, 'the file').enter(DerTag.sequence, 'the outermost sequence');
    const tags: (number | undefined)[] = [];
    const first = outer.element('its first part');
    for (; !outer.ended && tags.length < 3;) tags.push(outer.element('a part').tag);
    if (first.tag === DerTag.integer) return guessByNumber(first.content, tags);
    if (first.tag !== DerTag.sequence) return undefined;
    if (tags[0] === DerTag.bitString && tags.length === 1) return 'public-key';
    if (tags[0] === DerTag.octetString && tags.length === 1) return 'encrypted-key';
    if (tags[0] === DerTag.sequence && tags[1] === DerTag.bitString) return guessSigned(first.content);
    return undefined;
  } catch {
    return undefined;
  }
}

/** Version 3 and a ContentInfo: PKCS#12. Version 0 or 1: a key (PKCS#8, PKCS#1, SEC 1). */
function guessByNumber(version: Uint8Array, tags: readonly (number | undefined)[]): MaterialKind | undefined {
  if (version.length !== 1) return undefined;
  if (version[0] === 3 && tags[0] === DerTag.sequence) return 'pkcs12';
  return (version[0] ?? 9) <= 1 ? 'private-key' : undefined;
}

/** Certificate, request and list are alike outside. */
function guessSigned(content: Uint8Array): MaterialKind | undefined {
  const inner = new DerReader(content, 'the file');
  if (inner.nextTag === contextTag(0, true)) return 'certificate';
  const tags: number[] = [];
  const first = inner.element('a part');
  for (; !inner.ended && tags.length < 5;) tags.push(inner.element('a part').tag);
  const isTime = (tag: number | undefined) => tag === DerTag.utcTime || tag === DerTag.generalizedTime;
  if (first.tag === DerTag.integer) {
    // A request: subject, key, [0]. A list: algorithm, issuer, time. A certificate of version 1: algorithm, issuer, validity.
    if (tags.length <= 2 || tags[2] === contextTag(0, true)) return 'request';
    return isTime(tags[2]) ? 'revocation-list' : 'certificate';
  }
  return first.tag === DerTag.sequence && isTime(tags[1]) ? 'revocation-list' : undefined;
}

/** The object identifier of an algorithm at the begin of a sequence; undefined when there is none. */
export function algorithmOf(content: Uint8Array, thing: string): string | undefined {
  const id = new DerReader(content, thing).optional(DerTag.objectId, 'an algorithm');
  return id === undefined ? undefined : readObjectId(id, thing);
}

function unknown(source: string, seen: string): FlotillaError {
  return new FlotillaError('usage', 'pki-material-unknown', `${source} holds nothing that can be inspected`, {
    seen,
    expected: 'a certificate, a chain, a key, a signing request, a revocation list or PKCS#12, as PEM or DER',
    suggestion: 'check the path; a file that was sent as text may have been damaged on its way',
  });
}
