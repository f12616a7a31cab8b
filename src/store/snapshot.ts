import { readAuthorities, readChallenges } from './authority-table.ts';
import { readConfigs } from './config-table.ts';
import { readConsumers } from './consumer-table.ts';
import { readLastDeadLetter } from './dead-letter-table.ts';
import { readDeviceLogs } from './device-log-table.ts';
import { readCertificates, readCursors, readDevices } from './device-table.ts';
import { readActiveDocuments, readMembers, readReleases, type DocumentTable } from './document-table.ts';
import { readBoundGrains, readPreregistrations, readTokens } from './enrollment-table.ts';
import { readLastOffset } from './event-table.ts';
import { readGroups } from './group-table.ts';
import { readRenewals } from './renewal-table.ts';
import { readSchedules } from './job-table.ts';
import { readOperators } from './operator-table.ts';
import { readLastRequestRow, readRequestSeqs, readRequests } from './request-table.ts';
import { readParked, readSchemas } from './schema-table.ts';
import type {
  BoundGrainRow,
  AuthorityRow,
  CertificateRow,
  ChallengeRow,
  ConfigRow,
  ConsumerRow,
  CursorRow,
  DeviceLogRow,
  DeviceRow,
  DocumentRow,
  EnrollmentTokenRow,
  GroupRow,
  LaneCursor,
  MemberRow,
  OperatorRow,
  ParkedRow,
  PreregistrationRow,
  ReleaseRow,
  RenewalRow,
  RequestRow,
  ScheduleRow,
  SchemaRow,
  SuspectRow,
} from './row.ts';
import type { Statements } from './statement.ts';
import { readSuspects } from './suspect-table.ts';

/** Everything that the core needs to go on where it stopped. */
export interface Snapshot {
  meta: Record<string, string>;
  devices: DeviceRow[];
  certificates: CertificateRow[];
  cursors: CursorRow[];
  requests: RequestRow[];
  lastRequestRow: number;
  requestSeqs: { deviceId: string; seq: LaneCursor }[];
  jobs: DocumentWithMembers[];
  rollouts: DocumentWithMembers[];
  releases: ReleaseRow[];
  schemas: SchemaRow[];
  parked: ParkedRow[];
  configs: ConfigRow[];
  lastOffset: number;
  /** The highest id. */
  lastDeadLetter: number;
  consumers: ConsumerRow[];
  groups: GroupRow[];
  deviceLogs: DeviceLogRow[];
  suspects: SuspectRow[];
  enrollmentTokens: EnrollmentTokenRow[];
  preregistrations: PreregistrationRow[];
  boundGrains: BoundGrainRow[];
  authorities: AuthorityRow[];
  challenges: ChallengeRow[];
  renewals: RenewalRow[];
  operators: OperatorRow[];
  schedules: ScheduleRow[];
}

export interface DocumentWithMembers extends DocumentRow {
  members: MemberRow[];
}

export function readMeta(statements: Statements): Record<string, string> {
  const rows = statements.get('SELECT key, value FROM meta').all() as { key: string; value: string }[];
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

export function readSnapshot(statements: Statements): Snapshot {
  return {
    meta: readMeta(statements),
    devices: readDevices(statements),
    certificates: readCertificates(statements),
    cursors: readCursors(statements),
    requests: readRequests(statements),
    lastRequestRow: readLastRequestRow(statements),
    requestSeqs: readRequestSeqs(statements),
    jobs: readActive(statements, 'job'),
    rollouts: readActive(statements, 'rollout'),
    releases: readReleases(statements),
    schemas: readSchemas(statements),
    parked: readParked(statements),
    configs: readConfigs(statements),
    lastOffset: readLastOffset(statements),
    lastDeadLetter: readLastDeadLetter(statements),
    consumers: readConsumers(statements),
    groups: readGroups(statements),
    deviceLogs: readDeviceLogs(statements),
    suspects: readSuspects(statements),
    enrollmentTokens: readTokens(statements),
    preregistrations: readPreregistrations(statements),
    boundGrains: readBoundGrains(statements),
    authorities: readAuthorities(statements),
    challenges: readChallenges(statements),
    renewals: readRenewals(statements),
    operators: readOperators(statements),
    schedules: readSchedules(statements),
  };
}

function readActive(statements: Statements, table: DocumentTable): DocumentWithMembers[] {
  return readActiveDocuments(statements, table).map((row) => ({
    ...row,
    members: readMembers(statements, table, row.id, false),
  }));
}
