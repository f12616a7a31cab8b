import { Type, type Static } from 'typebox';
import { auditResults, type AuditProblem } from '../../audit/index.ts';

const short = Type.String({ maxLength: 512 });

/** An attempt to change something, and what came of it. */
export const AuditEntrySchema = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  atMs: Type.Integer(),
  /** `local:<uid>`, `operator:<name>`, or `system:<rule>` for what the coordinator does by itself. */
  actor: short,
  role: short,
  /** `unix`, the address of the peer, or `coordinator`. */
  from: short,
  action: short,
  subject: short,
  devices: Type.Object({
    count: Type.Integer({ minimum: 0 }),
    /** The first so many, in order. */
    ids: Type.Array(Type.String()),
    /** Of all of them, where the list is cut. */
    sha256: Type.Optional(Type.String()),
  }),
  result: Type.Enum(auditResults),
  /** Of the error; empty for `ok`. */
  code: short,
  detail: Type.Unknown(),
  prev: Type.String(),
  hash: Type.String(),
});
export type AuditEntry = Static<typeof AuditEntrySchema>;

export const AuditQuerySchema = Type.Object({
  actor: Type.Optional(short),
  /** A glob. */
  action: Type.Optional(short),
  device: Type.Optional(short),
  result: Type.Optional(Type.Enum(auditResults)),
  sinceMs: Type.Optional(Type.Integer({ minimum: 0 })),
  untilMs: Type.Optional(Type.Integer({ minimum: 0 })),
  /** The first row; left out: the newest ones. */
  from: Type.Optional(Type.Integer({ minimum: 1 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
});
export type AuditQuery = Static<typeof AuditQuerySchema>;

export const AuditHeadSchema = Type.Object({
  seq: Type.Integer({ minimum: 0 }),
  hash: Type.String(),
  /** `SEQ:HASH` */
  head: Type.String(),
  /** When the coordinator signed it. */
  signedAtMs: Type.Optional(Type.Integer()),
});
export type AuditHeadReply = Static<typeof AuditHeadSchema>;

/** What a verification has found. */
export interface AuditVerification {
  ok: boolean;
  /** The database or the file that was read. */
  source: string;
  fleetId: string;
  /** The first row that was looked at. */
  from: number;
  rows: number;
  /** `SEQ:HASH` of the last row. */
  head: string;
  /** The last signed or kept head that agrees: up to here nothing can have been changed without being found. */
  anchored?: string;
  /** Rows behind it. */
  unanchoredRows: number;
  problems: AuditProblem[];
  /** All; `problems` has the first hundred. */
  problemCount: number;
  /** What was not looked at, and why. */
  notes: string[];
}
