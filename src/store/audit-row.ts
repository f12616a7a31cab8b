import type { AuditDevices, AuditHead, AuditResult } from '../audit/index.ts';

/** What the core hands in; number and hashes are given by the chain. */
export interface AuditRow {
  atMs: number;
  actor: string;
  role: string;
  from: string;
  action: string;
  subject: string;
  devices: AuditDevices;
  result: AuditResult;
  /** Of the error; empty when there was none. */
  code: string;
  detail: unknown;
}

export interface AuditEntry extends AuditRow, AuditHead {
  /** The hash of the row before. */
  prev: string;
}
