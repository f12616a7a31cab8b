/**
 * Signed heads: the coordinator says, under its own key, how far its audit log had come. They stand outside the table,
 * so that a table that was cut or written anew does not fit them.
 */
import { createHash, sign, verify, type KeyObject, type X509Certificate } from 'node:crypto';
import { hashPattern, type AuditHead } from './entry.ts';

/** Beside the database. */
export const checkpointFileName = 'audit-heads.ndjson';

export interface Checkpoint extends AuditHead {
  version: 1;
  fleetId: string;
  /** Of the database: another one has another log. */
  instanceId: string;
  atMs: number;
  /** SHA-256 of the signer's public key (SubjectPublicKeyInfo), hex. */
  key: string;
  /** ECDSA with SHA-256 over `signedBytes`, IEEE P1363, base64. */
  signature: string;
}

const domain = 'flotilla-audit-head/1';
const option = { dsaEncoding: 'ieee-p1363' } as const;

/** Lines, each ended by a line feed: domain, fleet, instance, number, hash, time, key. None can hold a line feed. */
function signedBytes({ fleetId, instanceId, seq, hash, atMs, key }: Omit<Checkpoint, 'version' | 'signature'>): Buffer {
  return Buffer.from([domain, fleetId, instanceId, seq, hash, atMs, key].map((part) => `${part}\n`).join(''));
}

export interface CheckpointSigner {
  certificate: X509Certificate;
  privateKey: KeyObject;
}

export function signCheckpoint(
  { certificate, privateKey }: CheckpointSigner,
  content: Pick<Checkpoint, 'fleetId' | 'instanceId' | 'seq' | 'hash' | 'atMs'>,
): Checkpoint {
  const unsigned = { version: 1, ...content, key: keyId(certificate) } as const;
  const signature = sign('sha256', signedBytes(unsigned), { key: privateKey, ...option });
  return { ...unsigned, signature: signature.toString('base64') };
}

export function keyId({ publicKey }: X509Certificate): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

export type CheckpointVerdict = 'good' | 'other-key' | 'bad';

/** `other-key`: of a key that is not among the signers, so nobody here can tell. */
export function judgeCheckpoint(checkpoint: Checkpoint, signers: readonly X509Certificate[]): CheckpointVerdict {
  const signer = signers.find((certificate) => keyId(certificate) === checkpoint.key);
  if (signer === undefined) return 'other-key';
  const signature = Buffer.from(checkpoint.signature, 'base64');
  return verify('sha256', signedBytes(checkpoint), { key: signer.publicKey, ...option }, signature) ? 'good' : 'bad';
}

/** One line of the file of heads; undefined when it is none. */
export function parseCheckpoint(line: string): Checkpoint | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, fleetId, instanceId, seq, hash, atMs, key, signature } = value as Record<string, unknown>;
  const isNumber = (number: unknown): number is number => Number.isSafeInteger(number) && (number as number) >= 0;
  if (version !== 1 || !isNumber(seq) || !isNumber(atMs)) return undefined;
  if (typeof hash !== 'string' || !hashPattern.test(hash) || typeof key !== 'string' || !hashPattern.test(key)) {
    return undefined;
  }
  if (typeof fleetId !== 'string' || typeof instanceId !== 'string' || typeof signature !== 'string') return undefined;
  if (/\n/.test(fleetId + instanceId)) return undefined;
  return { version: 1, fleetId, instanceId, seq, hash, atMs, key, signature };
}
