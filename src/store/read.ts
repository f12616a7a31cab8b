import { readRawAudit, scanAudit, type AuditScan } from './audit-table.ts';
import { readDeadLetterDepth, readDeadLetters, readSurplusLetters, type DeadLetterQuery } from './dead-letter-table.ts';
import { readCertificateOfKey } from './device-table.ts';
import { readDocument, readDocuments, readMembers, type DocumentTable } from './document-table.ts';
import { scanEvents, type EventScan } from './event-scan.ts';
import { readEvents, type EventPage } from './event-table.ts';
import { readDeviceJobs, readJobDevices, readJobs, type JobQuery } from './job-table.ts';
import {
  readRolloutOutcome,
  readRolloutSteps,
  readSurplusSteps,
  type RolloutStepPage,
  type SurplusSteps,
} from './rollout-step-table.ts';
import { readMeta, readSnapshot } from './snapshot.ts';
import type { Statements } from './statement.ts';
import { readUpdateRecords, type UpdateRecordQuery } from './update-record-table.ts';

/** What may be asked of the store. */
export type Read =
  | { kind: 'snapshot' }
  | { kind: 'events'; page: EventPage }
  | { kind: 'scan'; scan: EventScan }
  | { kind: 'dead-letters'; query: DeadLetterQuery }
  | { kind: 'dead-letter-depth' }
  | { kind: 'surplus-letters'; keepRows: number; beforeMs: number }
  | { kind: 'certificate-by-key'; keySha256: string }
  | { kind: 'documents'; table: DocumentTable; limit: number }
  | { kind: 'document'; table: DocumentTable; id: string }
  | { kind: 'jobs'; query: JobQuery }
  | { kind: 'job-devices'; id: string; from: number; limit: number }
  | { kind: 'device-jobs'; deviceId: string; limit: number }
  | { kind: 'meta' }
  | { kind: 'audit'; scan: AuditScan }
  | { kind: 'raw-audit'; from: number; limit: number }
  | { kind: 'rollout-outcome'; id: string }
  | { kind: 'rollout-steps'; page: RolloutStepPage }
  | { kind: 'surplus-rollout-steps'; surplus: SurplusSteps }
  | { kind: 'update-records'; query: UpdateRecordQuery }
  | { kind: 'members'; table: DocumentTable; id: string; output: boolean };

export function answerRead(statements: Statements, read: Read): unknown {
  switch (read.kind) {
    case 'snapshot':
      return readSnapshot(statements);
    case 'events':
      return readEvents(statements, read.page);
    case 'scan':
      return scanEvents(statements, read.scan);
    case 'dead-letters':
      return readDeadLetters(statements, read.query);
    case 'surplus-letters':
      return readSurplusLetters(statements, read.keepRows, read.beforeMs);
    case 'dead-letter-depth':
      return readDeadLetterDepth(statements);
    case 'certificate-by-key':
      return readCertificateOfKey(statements, read.keySha256);
    case 'documents':
      return readDocuments(statements, read.table, read.limit);
    case 'document':
      return readDocument(statements, read.table, read.id);
    case 'jobs':
      return readJobs(statements, read.query);
    case 'job-devices':
      return readJobDevices(statements, read.id, read.from, read.limit);
    case 'device-jobs':
      return readDeviceJobs(statements, read.deviceId, read.limit);
    case 'meta':
      return readMeta(statements);
    case 'audit':
      return scanAudit(statements, read.scan);
    case 'raw-audit':
      return readRawAudit(statements, read.from, read.limit);
    case 'rollout-outcome':
      return readRolloutOutcome(statements, read.id);
    case 'surplus-rollout-steps':
      return readSurplusSteps(statements, read.surplus);
    case 'rollout-steps':
      return readRolloutSteps(statements, read.page);
    case 'update-records':
      return readUpdateRecords(statements, read.query);
    case 'members':
      return readMembers(statements, read.table, read.id, read.output);
  }
}
