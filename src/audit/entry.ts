/** One row of the audit log, and the hash that links it to the row before. */
import { createHash } from 'node:crypto';

/** How an attempt ended. `refused`: a rule or the request itself; `forbidden`: the role of the caller. */
export const auditResults = ['ok', 'refused', 'forbidden', 'failed'] as const;
export type AuditResult = (typeof auditResults)[number];

/**
 * What is hashed, in this order. Each field is written as its length in bytes (4 bytes, big-endian) and its UTF-8 text;
 * in front of them stands `flotilla-audit/1`, written the same way. Numbers are decimal; `devices` and `detail` are the
 * JSON text that is stored, byte for byte; `prev` is the hash of the row before, 64 zeros in row 1. The hash is the
 * SHA-256 of all of it, in hex.
 */
export const auditFields = [
  'seq',
  'atMs',
  'actor',
  'role',
  'from',
  'action',
  'subject',
  'devices',
  'result',
  'code',
  'detail',
  'prev',
] as const;
export type AuditField = (typeof auditFields)[number];

/** The row as it is stored: text, or the bytes that stand in place of it when they may be no UTF-8. */
export type RawEntry = Readonly<Record<AuditField | 'hash', string | Uint8Array>>;

const domain = 'flotilla-audit/1';
export const firstPrev = '0'.repeat(64);
export const hashPattern = /^[0-9a-f]{64}$/;

export function hashEntry(entry: Readonly<Record<AuditField, string | Uint8Array>>): string {
  const hash = createHash('sha256');
  const length = Buffer.alloc(4);
  for (const value of [domain, ...auditFields.map((field) => entry[field])]) {
    length.writeUInt32BE(typeof value === 'string' ? Buffer.byteLength(value) : value.length);
    hash.update(length).update(value);
  }
  return hash.digest('hex');
}

/** The end of a chain: what has to be kept elsewhere to find out later that all of it was set back. */
export interface AuditHead {
  /** 0: nothing was written yet. */
  seq: number;
  hash: string;
}

export const emptyHead: AuditHead = { seq: 0, hash: firstPrev };

export function formatHead({ seq, hash }: AuditHead): string {
  return `${seq}:${hash}`;
}

/** `SEQ:HASH`, as `audit head` prints it; undefined for anything else. */
export function parseHead(text: string): AuditHead | undefined {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}
