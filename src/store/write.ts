import type {
  AuditRow,
  CertificateRow,
  ConfigRow,
  CursorRow,
  DeadLetterRow,
  DeviceRow,
  DocumentRow,
  EventBlockRow,
  EventRow,
  LaneCursor,
  MemberRow,
  ParkedRow,
  ReleaseRow,
  RequestRow,
  SchemaRow,
} from './row.ts';

/** One change. All writes of a `commit` become durable together or not at all. */
export type Write =
  | { kind: 'meta'; key: string; value: string }
  | { kind: 'device'; device: DeviceRow }
  | { kind: 'device-removed'; deviceId: string }
  | { kind: 'certificate'; certificate: CertificateRow }
  | { kind: 'cursor'; cursor: CursorRow }
  | { kind: 'event'; event: EventRow }
  | { kind: 'event-block'; block: EventBlockRow }
  | { kind: 'dead-letter'; letter: DeadLetterRow }
  | { kind: 'request'; request: RequestRow }
  | { kind: 'request-removed'; row: number }
  /** The last seq that was given to a request, per lane. */
  | { kind: 'request-seq'; deviceId: string; seq: LaneCursor }
  | { kind: 'job'; job: DocumentRow }
  | { kind: 'job-device'; member: MemberRow }
  | { kind: 'rollout'; rollout: DocumentRow }
  | { kind: 'rollout-device'; member: MemberRow }
  | { kind: 'release'; release: ReleaseRow }
  | { kind: 'schema'; schema: SchemaRow }
  | { kind: 'parked-schema'; parked: ParkedRow }
  | { kind: 'parked-schema-removed'; fingerprint: string }
  | { kind: 'config'; config: ConfigRow }
  | { kind: 'audit'; audit: AuditRow };
