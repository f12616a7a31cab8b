/**
 * Time that a device may believe whatever its own clock says: a statement of the coordinator, signed with the key of its
 * certificate for one device and one question of it. It is checked up to the root, like the link itself, and like the
 * fleet's own certificates it does not depend on what the device takes the time to be.
 */
import { type KeyObject, X509Certificate, createHash, sign, verify } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { ExtendedKeyUsage } from './profile.ts';

/** As it travels. */
export interface TimeStatement {
  /** Of the device's question. */
  nonce: string;
  timeMs: number;
  /** ECDSA P-256 with SHA-256, r and s of 32 bytes each, base64url. */
  signature: string;
  /** SHA-256 of the signer's certificate, hex. */
  signer: string;
  /** DER in base64, the signer first; left out when the device has said that it knows the signer. */
  chain?: string[];
}

/** Whom a statement is for. */
export interface TimeSubject {
  fleetId: string;
  deviceId: string;
  nonce: string;
}

export interface TimeSigner {
  /** @param known `signer` of an earlier statement: its certificates need not travel again */
  sign(subject: TimeSubject, timeMs: number, known?: string): TimeStatement;
}

/** The signer, and the authorities between it and the root. */
const maxChain = 4;

/** @param chainPems the coordinator's certificate first, then its issuers but for the root */
export function createTimeSigner(key: KeyObject, chainPems: readonly string[]): TimeSigner {
  const chain = chainPems.map((pem) => new X509Certificate(pem).raw);
  const signer = digest(chain[0]!);
  return {
    sign(subject, timeMs, known) {
      const signature = sign('sha256', signedText(subject, timeMs), { key, dsaEncoding: 'ieee-p1363' });
      const statement = { nonce: subject.nonce, timeMs, signature: signature.toString('base64url'), signer };
      return known === signer ? statement : { ...statement, chain: chain.map((der) => der.toString('base64')) };
    },
  };
}

export interface TimeTrust {
  subject: TimeSubject;
  /** The name that the coordinator's certificate must carry. */
  serverName: string;
  /** Roots alone: whatever stands between has to be shown. */
  roots: readonly X509Certificate[];
  /** The chain of an earlier statement that was found good. */
  knownChain?: readonly string[];
}

/**
 * The statement's time, and the chain to remember. @throws FlotillaError `time-statement` with what is wrong
 */
export function verifyTimeStatement(
  statement: TimeStatement,
  { subject, serverName, roots, knownChain = [] }: TimeTrust,
): { timeMs: number; chain: readonly string[] } {
  const { nonce, timeMs, signature, signer } = statement;
  // 1. It answers the question that was asked.
  if (nonce !== subject.nonce) throw refuse('it answers another question');
  // 2. Its signer is the coordinator of this fleet.
  const chain = statement.chain ?? knownChain;
  const [leaf, ...issuers] = readChain(chain);
  if (leaf === undefined) throw refuse('its signer was never shown');
  if (digest(leaf.raw) !== signer) throw refuse('its chain is of another signer');
  if (leaf.ca || leaf.checkHost(serverName, { subject: 'never' }) === undefined) {
    throw refuse(`its signer is not ${serverName}`, leaf.subject);
  }
  if (!(leaf.keyUsage ?? []).includes(ExtendedKeyUsage.serverAuth)) throw refuse('its signer is no coordinator');
  // 3. Every link of the chain is signed by the next one, the last by a root.
  let subjectOf = leaf;
  for (const issuer of issuers) {
    if (!isIssuedBy(subjectOf, issuer)) throw refuse('its chain is broken', subjectOf.subject);
    subjectOf = issuer;
  }
  if (!roots.some((root) => isIssuedBy(subjectOf, root)))
    throw refuse('its chain does not reach a root', subjectOf.issuer);
  // 4. What was signed is this.
  const bytes = Buffer.from(signature, 'base64url');
  const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' as const };
  if (bytes.length !== 64 || !verify('sha256', signedText(subject, timeMs), key, bytes)) {
    throw refuse('its signature does not fit');
  }
  return { timeMs, chain };
}

function readChain(chain: readonly string[]): X509Certificate[] {
  if (chain.length > maxChain) throw refuse(`${chain.length} certificates`);
  try {
    return chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')));
  } catch {
    throw refuse('its chain is malformed');
  }
}

function isIssuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

function signedText({ fleetId, deviceId, nonce }: TimeSubject, timeMs: number): Buffer {
  return Buffer.from(`flotilla-time 1\n${fleetId}\n${deviceId}\n${nonce}\n${timeMs}\n`);
}

function digest(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}

function refuse(message: string, seen?: string): FlotillaError {
  const detail = seen === undefined ? {} : { seen: seen.replaceAll('\n', ', ') };
  return new FlotillaError('refused', 'time-statement', `the time statement is not good: ${message}`, detail);
}
