import type { AuditRow } from './audit-row.ts';
import type { DeadLetterChange } from './dead-letter-table.ts';
import type { RolloutStepWrite } from './rollout-step-table.ts';
import type {
  BoundGrainRow,
  AuthorityRow,
  CertificateRow,
  ChallengeRow,
  ConfigRow,
  ConsumerRow,
  CursorRow,
  DeadLetterRow,
  DeviceLogRow,
  DeviceRow,
  DocumentRow,
  EnrollmentTokenRow,
  EventBlockRow,
  EventRow,
  GroupRow,
  LaneCursor,
  MemberRow,
  OperatorRow,
  ParkedRow,
  PreregistrationRow,
  RedactionRow,
  RenewalRow,
  SchemaRow,
  ReleaseRow,
  RequestPlace,
  RequestRow,
  ScheduleRow,
  SuspectRow,
  UpdateRecordRow,
} from './row.ts';

/** One change. All writes of a `commit` become durable together or not at all. */
export type Write =
  | { kind: 'meta'; key: string; value: string }
  | { kind: 'device'; device: DeviceRow }
  /** `instanceId`: the history whose cursors stay. */
  | { kind: 'device-removed'; deviceId: string; instanceId?: string }
  | { kind: 'certificate'; certificate: CertificateRow }
  | { kind: 'renewal'; renewal: RenewalRow }
  | { kind: 'renewal-removed'; deviceId: string }
  | { kind: 'cursor'; cursor: CursorRow }
  | { kind: 'event'; event: EventRow }
  | { kind: 'event-block'; block: EventBlockRow }
  | { kind: 'dead-letter'; letter: DeadLetterRow }
  | { kind: 'dead-letter-change'; change: DeadLetterChange }
  | { kind: 'dead-letters-removed'; ids: readonly number[] }
  | { kind: 'consumer'; consumer: ConsumerRow }
  | { kind: 'consumer-removed'; name: string }
  | { kind: 'group'; group: GroupRow }
  | { kind: 'group-removed'; name: string }
  | { kind: 'suspect'; suspect: SuspectRow }
  | { kind: 'device-log'; log: DeviceLogRow }
  /** Takes key and payload out of rows of the log, for good. */
  | { kind: 'redact'; offsets: readonly number[]; marker: RedactionRow }
  | { kind: 'request'; request: RequestRow }
  /** `given`: the last seq that a request to its device was given, per lane. */
  | { kind: 'request-removed'; request: RequestPlace; given: LaneCursor }
  /** The same, where no row of a request says it. */
  | { kind: 'request-seq'; deviceId: string; seq: LaneCursor }
  | { kind: 'job'; job: DocumentRow }
  | { kind: 'job-device'; member: MemberRow }
  | { kind: 'rollout'; rollout: DocumentRow }
  | { kind: 'rollout-device'; member: MemberRow }
  /** After those before it, of the same rollout. */
  | { kind: 'rollout-step'; step: RolloutStepWrite }
  | { kind: 'rollout-steps-removed'; rows: readonly number[] }
  | { kind: 'release'; release: ReleaseRow }
  | { kind: 'schema'; schema: SchemaRow }
  | { kind: 'parked-schema'; parked: ParkedRow }
  | { kind: 'parked-schema-removed'; fingerprint: string }
  | { kind: 'config'; config: ConfigRow }
  | { kind: 'enrollment-token'; token: EnrollmentTokenRow }
  | { kind: 'enrollment-token-removed'; id: string }
  | { kind: 'preregistration'; preregistration: PreregistrationRow }
  | { kind: 'preregistration-removed'; deviceId: string }
  /** No grains: the device is bound no more. */
  | { kind: 'bound-grain'; bound: BoundGrainRow }
  | { kind: 'authority'; authority: AuthorityRow }
  | { kind: 'challenge'; challenge: ChallengeRow }
  | { kind: 'challenge-removed'; nonce: string }
  | { kind: 'operator'; operator: OperatorRow }
  | { kind: 'schedule'; schedule: ScheduleRow }
  | { kind: 'schedule-removed'; name: string }
  | { kind: 'update-record'; record: UpdateRecordRow }
  | { kind: 'audit'; audit: AuditRow };
