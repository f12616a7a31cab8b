/** Rows of the audit log, written in the transaction of what they tell of. */
import { createHash } from 'node:crypto';
import { listDevices, type AuditResult } from '../../audit/index.ts';
import type { Turn } from '../core/turn.ts';

/** Who acts. An operator, or a rule of the coordinator itself. */
export interface Actor {
  actor: string;
  role: string;
  /** `unix`, the address of a peer, or `coordinator`. */
  from: string;
}

export interface AuditNote {
  action: string;
  subject: string;
  detail: unknown;
  /** All of them; what is stored of it is bounded. */
  devices?: readonly string[];
  result?: AuditResult;
  code?: string;
}

const maxTextChars = 512;
const maxDetailChars = 16_384;
/** A member of the detail that is larger gives way to its size and hash when the whole is too large. */
const maxMemberChars = 1_024;

export function writeAudit(turn: Turn, { actor, role, from }: Actor, note: AuditNote): void {
  const { action, subject, detail, devices = [], result = 'ok', code = '' } = note;
  turn.write({
    kind: 'audit',
    audit: {
      atMs: turn.nowMs,
      actor: clip(actor),
      role: clip(role),
      from: clip(from),
      action: clip(action),
      subject: clip(subject),
      devices: listDevices(devices),
      result,
      code,
      detail: boundDetail(detail),
    },
  });
  turn.notify({ kind: 'audit' });
}

/** What the coordinator does by a rule of its own; the rule is named, so that one knows where to look. */
export function auditRule(turn: Turn, rule: string, note: AuditNote): void {
  writeAudit(turn, { actor: `system:${rule}`, role: 'system', from: 'coordinator' }, note);
}

const clip = (text: string): string => (text.length <= maxTextChars ? text : `${text.slice(0, maxTextChars - 1)}…`);

/** An audit row is no store for documents: what is large is kept as what proves it, its length and its SHA-256. */
export function boundDetail(detail: unknown): unknown {
  const text = JSON.stringify(detail) ?? 'null';
  if (text.length <= maxDetailChars) return detail;
  if (typeof detail !== 'object' || detail === null || Array.isArray(detail)) return cut(text);
  const smaller = Object.fromEntries(
    Object.entries(detail).map(([name, value]) => {
      const member = JSON.stringify(value) ?? 'null';
      return [name, member.length <= maxMemberChars ? value : cut(member)];
    }),
  );
  return JSON.stringify(smaller).length <= maxDetailChars ? smaller : cut(text);
}

function cut(text: string): { cut: true; bytes: number; sha256: string } {
  return { cut: true, bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
