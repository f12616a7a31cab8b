import type { AuditExportRow } from '../audit/index.ts';
import type { Content } from '../protocol/job-action.ts';
import type {
  AgentsUpdated,
  AgentUpdateProgress,
  AllowBundle,
  AuditEntry,
  AuditHeadReply,
  AuditQuery,
  AuditVerification,
  AuthorityDetail,
  AuthorityOverview,
  AuthorityView,
  BundleAllowed,
  Certificate,
  Challenge,
  Changed,
  ConfigRequest,
  ConfigResolve,
  ConfigSetResult,
  ConfigView,
  Consumer,
  ConsumerQuery,
  CoordinatorStatus,
  DeadLetter,
  DeadLetterOutcome,
  DeadLetterQuery,
  Device,
  DeviceJob,
  Receipt,
  ReceiptTaken,
  UpdateHistoryQuery,
  UpdateRecord,
  DeviceResult,
  DeviceWatchRow,
  DiscardRequest,
  EndedAuthority,
  EnrollmentTokenMade,
  EnrollmentTokenRequest,
  EnrollmentTokenView,
  EventQuery,
  EventSchemaDocument,
  ExportRow,
  Group,
  GroupAdded,
  GroupRequest,
  HandlerRow,
  Job,
  JobFile,
  JobFollowRow,
  JobListQuery,
  JobRequest,
  JobRetryRequest,
  ManifestImport,
  ManifestImported,
  Operator,
  OperatorAdded,
  OperatorRequest,
  OperatorRevoke,
  OperatorRevoked,
  PreregistrationView,
  ProductRequestBody,
  QuarantineRequest,
  Redacted,
  RedactRequest,
  RegisterAuthority,
  RegisteredSchemas,
  RegisterRequest,
  Release,
  Renewal,
  RenewRequest,
  Replacement,
  ReplaceRequest,
  RetireRequest,
  RevocationLists,
  Revoked,
  RevokeRequest,
  Rollout,
  RolloutChange,
  RolloutFollowRow,
  RolloutPlan,
  RolloutRecordingRow,
  RolloutReport,
  RolloutRequest,
  Rotated,
  Rotation,
  RotationRequest,
  Schedule,
  ScheduleRequest,
  ScheduleTimes,
  SchemaList,
  SelectCompletion,
  SelectCount,
  SelectExplanation,
  SelectMatch,
  SelectRequest,
  SelectValues,
  Self,
  SentRequest,
  Settled,
  SettleRequest,
  Signed,
  SignRequest,
  StoredEvent,
  TagChange,
  TimeResets,
  TimeResetSent,
  ValuesRequest,
  Why,
  UpdateAgents,
} from './contract/index.ts';
import type { HttpConnection } from './http-connection.ts';

const schedulePath = (name: string): string => `/v1/schedules/${encodeURIComponent(name)}`;
const groupPath = (name: string): string => `/v1/groups/${encodeURIComponent(name)}`;
const consumerPath = (name: string): string => `/v1/consumers/${encodeURIComponent(name)}`;

/** One method for each route. Throws FlotillaError: the coordinator's own, or `coordinator-unreachable`. */
export class CoordinatorClient {
  readonly #http: HttpConnection;

  constructor(http: HttpConnection) {
    this.#http = http;
  }

  status = (signal?: AbortSignal) => this.#http.get<CoordinatorStatus>('/v1/status', {}, signal);
  shutdown = () => this.#http.post<{ pid: number }>('/v1/shutdown', {});

  audit = (query: AuditQuery) => this.#http.get<AuditEntry[]>('/v1/audit', { ...query });
  followAudit = (query: AuditQuery, signal?: AbortSignal) =>
    this.#http.rows<AuditEntry>('/v1/audit/follow', { ...query }, signal);
  exportAudit = (query: { from?: number }, signal?: AbortSignal) =>
    this.#http.rows<AuditExportRow>('/v1/audit/export', query, signal);
  auditHead = () => this.#http.get<AuditHeadReply>('/v1/audit/head');
  /** One row. */
  verifyAudit = (query: { head?: string }, signal?: AbortSignal) =>
    this.#http.rows<AuditVerification>('/v1/audit/verify', query, signal);
  self = () => this.#http.get<Self>('/v1/self');
  operators = () => this.#http.get<Operator[]>('/v1/operators');
  addOperator = (request: OperatorRequest) => this.#http.post<OperatorAdded>('/v1/operators', request);
  revokeOperator = (name: string, request: OperatorRevoke) =>
    this.#http.post<OperatorRevoked>(`/v1/operators/${encodeURIComponent(name)}/revoke`, request);

  devices = (query: { selector?: string; state?: string } = {}) => this.#http.get<Device[]>('/v1/devices', query);
  device = (id: string) => this.#http.get<Device>(`/v1/devices/${encodeURIComponent(id)}`);
  acceptDevices = (selector: string, instance?: string) =>
    this.#http.post<Changed>('/v1/devices/accept', { selector, ...(instance === undefined ? {} : { instance }) });
  quarantineDevices = (request: QuarantineRequest) => this.#http.post<Changed>('/v1/devices/quarantine', request);
  rejectDevices = (selector: string) => this.#http.post<Changed>('/v1/devices/reject', { selector });
  replaceDevice = (id: string, request: ReplaceRequest) =>
    this.#http.post<Replacement>(`/v1/devices/${encodeURIComponent(id)}/replace`, request);
  allowBundle = (request: AllowBundle) => this.#http.post<BundleAllowed>('/v1/devices/allow-bundle', request);
  updateAgents = (request: UpdateAgents) => this.#http.post<AgentsUpdated>('/v1/devices/update-agent', request);
  agentUpdate = (id: string) => this.#http.get<AgentUpdateProgress>(`/v1/agent-updates/${encodeURIComponent(id)}`);
  resetTime = (request: TimeResets) => this.#http.post<TimeResetSent[]>('/v1/devices/reset-time', request);
  tagDevices = (change: TagChange) => this.#http.post<Changed>('/v1/devices/tag', change);
  removeDevice = (id: string) => this.#http.delete<Changed>(`/v1/devices/${encodeURIComponent(id)}`);
  /** For a program on the device; its reply is an event. */
  sendRequest = (id: string, request: ProductRequestBody) =>
    this.#http.post<SentRequest>(`/v1/devices/${encodeURIComponent(id)}/requests`, request);
  watchDevices = (query: { selector?: string }, signal?: AbortSignal) =>
    this.#http.rows<DeviceWatchRow>('/v1/devices/watch', query, signal);

  certificates = (query: { device?: string } = {}) => this.#http.get<Certificate[]>('/v1/certificates', query);
  certificate = (serial: string) => this.#http.get<Certificate>(`/v1/certificates/${encodeURIComponent(serial)}`);
  sign = (request: SignRequest) => this.#http.post<Signed>('/v1/certificates/sign', request);
  renewCertificates = (request: RenewRequest) => this.#http.post<Changed>('/v1/certificates/renew', request);
  renewals = () => this.#http.get<Renewal[]>('/v1/renewals');
  revoke = (request: RevokeRequest) => this.#http.post<Revoked>('/v1/certificates/revoke', request);
  revocationLists = () => this.#http.get<RevocationLists>('/v1/crl');

  authorities = () => this.#http.get<AuthorityOverview>('/v1/authorities');
  authority = (id: string) => this.#http.get<AuthorityDetail>(`/v1/authorities/${encodeURIComponent(id)}`);
  beginRotation = (request: RotationRequest) => this.#http.post<Rotation>('/v1/authorities/rotation', request);
  completeRotation = (certificate: string) =>
    this.#http.post<Rotated>('/v1/authorities/rotation/certificate', { certificate });
  retireAuthority = (id: string, request: RetireRequest) =>
    this.#http.post<EndedAuthority>(`/v1/authorities/${encodeURIComponent(id)}/retire`, request);
  renewCoordinator = () => this.#http.post<AuthorityOverview['coordinator']>('/v1/authorities/coordinator', {});
  createChallenge = () => this.#http.post<Challenge>('/v1/authorities/challenge', {});
  registerAuthority = (request: RegisterAuthority) => this.#http.post<AuthorityView>('/v1/authorities', request);
  removeAuthority = (id: string) => this.#http.delete<EndedAuthority>(`/v1/authorities/${encodeURIComponent(id)}`);

  match = (request: SelectRequest) => this.#http.post<SelectMatch>('/v1/select/match', request);
  count = (request: SelectRequest) => this.#http.post<SelectCount>('/v1/select/count', request);
  values = (request: ValuesRequest) => this.#http.post<SelectValues>('/v1/select/values', request);
  complete = (text: string, signal?: AbortSignal) =>
    this.#http.get<SelectCompletion>('/v1/select/complete', { text }, signal);
  explain = (request: SelectRequest) => this.#http.post<SelectExplanation>('/v1/select/explain', request);

  groups = () => this.#http.get<Group[]>('/v1/groups');
  group = (name: string) => this.#http.get<Group>(groupPath(name));
  addGroup = (request: GroupRequest) => this.#http.post<GroupAdded>('/v1/groups', request);
  removeGroup = (name: string) => this.#http.delete<{ removed: string }>(groupPath(name));

  startJob = (request: JobRequest) => this.#http.post<Job>('/v1/jobs', request);
  jobs = (query: JobListQuery = {}) => this.#http.get<Job[]>('/v1/jobs', { ...query });
  job = (id: string) => this.#http.get<Job>(`/v1/jobs/${encodeURIComponent(id)}`);
  retryJob = (id: string, request: JobRetryRequest) =>
    this.#http.post<Job>(`/v1/jobs/${encodeURIComponent(id)}/retry`, request);
  /** The results as they are stored now. */
  jobResults = (id: string, signal?: AbortSignal) =>
    this.#http.rows<DeviceResult>(`/v1/jobs/${encodeURIComponent(id)}/results`, {}, signal);
  deviceUpdates = (id: string, query: UpdateHistoryQuery = {}) =>
    this.#http.get<UpdateRecord[]>(`/v1/devices/${encodeURIComponent(id)}/updates`, { ...query });
  takeReceipt = (receipt: Receipt) => this.#http.post<ReceiptTaken>('/v1/receipts', receipt);
  deviceJobs = (id: string, query: { limit?: number } = {}) =>
    this.#http.get<DeviceJob[]>(`/v1/devices/${encodeURIComponent(id)}/jobs`, query);
  cancelJob = (id: string) => this.#http.post<Job>(`/v1/jobs/${encodeURIComponent(id)}/cancel`, {});
  uploadContent = (path: string, sha256: string) => this.#http.upload<Content>('/v1/contents', path, { sha256 });
  jobFile = (id: string, deviceId: string) =>
    this.#http.get<JobFile>(`/v1/jobs/${encodeURIComponent(id)}/files/${encodeURIComponent(deviceId)}`);
  /** All results so far, then each as it comes; ends with the finished job. */
  followJob = (id: string, signal?: AbortSignal, query: { output?: boolean } = {}) =>
    this.#http.rows<JobFollowRow>(`/v1/jobs/${encodeURIComponent(id)}/follow`, query, signal);
  askOutput = (id: string) => this.#http.post<Job>(`/v1/jobs/${encodeURIComponent(id)}/output`, {});

  addSchedule = (request: ScheduleRequest) => this.#http.post<Schedule>('/v1/schedules', request);
  schedules = () => this.#http.get<Schedule[]>('/v1/schedules');
  schedule = (name: string) => this.#http.get<Schedule>(schedulePath(name));
  /** When it is due next, if it is not paused. */
  scheduleTimes = (name: string, query: { count?: number } = {}) =>
    this.#http.get<ScheduleTimes>(`${schedulePath(name)}/next`, query);
  changeSchedule = (name: string, verb: 'pause' | 'resume') =>
    this.#http.post<Schedule>(`${schedulePath(name)}/${verb}`, {});
  removeSchedule = (name: string) => this.#http.delete<{ removed: string }>(schedulePath(name));

  /** Streams the file; the coordinator verifies the signature against the fleet's keys before it stores anything. */
  publish = (path: string, query: { channel: string }) => this.#http.upload<Release>('/v1/releases', path, query);
  releases = () => this.#http.get<Release[]>('/v1/releases');
  release = (id: string) => this.#http.get<Release>(`/v1/releases/${encodeURIComponent(id)}`);

  startRollout = (request: RolloutRequest) => this.#http.post<Rollout>('/v1/rollouts', request);
  rollouts = () => this.#http.get<Rollout[]>('/v1/rollouts');
  rollout = (id: string) => this.#http.get<Rollout>(`/v1/rollouts/${encodeURIComponent(id)}`);
  planRollout = (request: RolloutRequest) => this.#http.post<RolloutPlan>('/v1/rollouts/plan', request);
  applyRollout = (plan: RolloutPlan) => this.#http.post<Rollout>('/v1/rollouts/apply', plan);
  changeRollout = (id: string, verb: 'pause' | 'resume' | 'abort' | 'approve', change: RolloutChange) =>
    this.#http.post<Rollout>(`/v1/rollouts/${encodeURIComponent(id)}/${verb}`, change);
  rolloutReport = (id: string) => this.#http.get<RolloutReport>(`/v1/rollouts/${encodeURIComponent(id)}/report`);
  /** Ends with the row `outcome`; one that ends without it is not whole. */
  rolloutRecording = (id: string, signal?: AbortSignal) =>
    this.#http.rows<RolloutRecordingRow>(`/v1/rollouts/${encodeURIComponent(id)}/recording`, {}, signal);
  followRollout = (id: string, signal?: AbortSignal) =>
    this.#http.rows<RolloutFollowRow>(`/v1/rollouts/${encodeURIComponent(id)}/follow`, {}, signal);

  redact = (request: RedactRequest) => this.#http.post<Redacted>('/v1/events/redact', request);
  exportEvents = (query: EventQuery, signal?: AbortSignal) =>
    this.#http.rows<ExportRow>('/v1/events/export', { ...query }, signal);

  consumers = () => this.#http.get<Consumer[]>('/v1/consumers');
  removeConsumer = (name: string) => this.#http.delete<{ removed: string }>(consumerPath(name));
  resetConsumer = (name: string, offset: number) =>
    this.#http.post<Consumer>(`${consumerPath(name)}/reset`, { offset });
  streamConsumer = (name: string, query: ConsumerQuery, signal?: AbortSignal) =>
    this.#http.rows<StoredEvent>(`${consumerPath(name)}/stream`, { ...query }, signal);
  acknowledge = (name: string, offset: number) =>
    this.#http.post<{ offset: number }>(`${consumerPath(name)}/ack`, { offset });
  streamHandler = (name: string, query: ConsumerQuery, signal?: AbortSignal) =>
    this.#http.rows<HandlerRow>(`${consumerPath(name)}/handle`, { ...query }, signal);
  settle = (name: string, request: SettleRequest) => this.#http.post<Settled>(`${consumerPath(name)}/settle`, request);

  deadLetters = (query: DeadLetterQuery) => this.#http.get<DeadLetter[]>('/v1/deadletters', { ...query });
  deadLetter = (id: number) => this.#http.get<DeadLetter>(`/v1/deadletters/${id}`);
  replayDeadLetters = (ids: readonly number[]) => this.#http.post<DeadLetterOutcome>('/v1/deadletters/replay', { ids });
  discardDeadLetters = (request: DiscardRequest) =>
    this.#http.post<DeadLetterOutcome>('/v1/deadletters/discard', request);

  events = (query: EventQuery) => this.#http.get<StoredEvent[]>('/v1/events', { ...query });
  followEvents = (query: EventQuery, signal?: AbortSignal) =>
    this.#http.rows<StoredEvent>('/v1/events/follow', { ...query }, signal);

  registerSchemas = (request: RegisterRequest) => this.#http.post<RegisteredSchemas>('/v1/schemas', request);
  schemas = (query: { text?: boolean } = {}) => this.#http.get<SchemaList>('/v1/schemas', query);
  /** By `TYPE`, `TYPE@VERSION`, fingerprint or SHA-256. */
  schema = (reference: string) => this.#http.get<EventSchemaDocument>(`/v1/schemas/${encodeURIComponent(reference)}`);

  setConfig = (request: ConfigRequest) => this.#http.post<ConfigSetResult[]>('/v1/configs', request);
  configs = (deviceId: string) => this.#http.get<ConfigView[]>(`/v1/configs/${encodeURIComponent(deviceId)}`);
  config = (deviceId: string, name: string) => this.#http.get<ConfigView>(configPath(deviceId, name));
  resolveConfig = (deviceId: string, name: string, resolve: ConfigResolve) =>
    this.#http.post<ConfigView>(`${configPath(deviceId, name)}/resolve`, resolve);

  addEnrollmentToken = (request: EnrollmentTokenRequest) =>
    this.#http.post<EnrollmentTokenMade>('/v1/enrollment-tokens', request);
  enrollmentTokens = () => this.#http.get<EnrollmentTokenView[]>('/v1/enrollment-tokens');
  revokeEnrollmentToken = (id: string) =>
    this.#http.post<EnrollmentTokenView>(`/v1/enrollment-tokens/${encodeURIComponent(id)}/revoke`, {});
  importManifest = (request: ManifestImport) => this.#http.post<ManifestImported>('/v1/manifest', request);
  manifest = () => this.#http.get<PreregistrationView[]>('/v1/manifest');
  removeFromManifest = (ids: readonly string[]) =>
    this.#http.post<{ removed: string[] }>('/v1/manifest/remove', { ids });

  why = (deviceId: string, query: { rollout?: string }) =>
    this.#http.get<Why>(`/v1/why/${encodeURIComponent(deviceId)}`, query);
}

function configPath(deviceId: string, name: string): string {
  return `/v1/configs/${encodeURIComponent(deviceId)}/${encodeURIComponent(name)}`;
}
