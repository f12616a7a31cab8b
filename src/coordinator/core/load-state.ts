import { FlotillaError } from '../../error.ts';
import type { LaneCursor, Snapshot, Store } from '../../store/index.ts';
import type { ConfigDocument } from '../config/config-document.ts';
import { createJobState, type JobDevice, type JobDocument } from '../job/job-state.ts';
import type { ScheduleDocument } from '../schedule/schedule-document.ts';
import { createRolloutState, type RolloutDocument } from '../rollout/rollout-state.ts';
import { type TargetDevice } from '../rollout/target-device.ts';
import { Registry } from '../registry/registry.ts';
import { zeroCursor, type CoreState, type LiveConnection, type StoredRelease } from './core-state.ts';
import { loadSchemaState } from './schema-state.ts';
import { suspectKey } from './suspect-operation.ts';

/**
 * Reads everything that is needed to go on, and gives a new database its fleet and its own instance id.
 * @param newInstanceId 16 hex digits, used only by a new database
 * @throws FlotillaError `store-other-fleet`
 */
export async function loadState(
  store: Store,
  fleetId: string,
  newInstanceId: string,
  nowMs: number,
): Promise<CoreState> {
  const snapshot = await store.load();
  const { fleetId: storedFleet, instanceId: storedInstance } = snapshot.meta;
  if (storedFleet !== undefined && storedFleet !== fleetId) {
    throw new FlotillaError('usage', 'store-other-fleet', `the database ${store.path} belongs to another fleet`, {
      seen: storedFleet,
      expected: fleetId,
      suggestion: 'mend fleetId or data in coordinator.yaml',
    });
  }
  const instanceId = storedInstance ?? newInstanceId;
  if (storedInstance === undefined) {
    await store.commit([
      { kind: 'meta', key: 'fleetId', value: fleetId },
      { kind: 'meta', key: 'instanceId', value: instanceId },
    ]);
  }
  return stateOf(snapshot, fleetId, instanceId, nowMs);
}

function stateOf(snapshot: Snapshot, fleetId: string, instanceId: string, nowMs: number): CoreState {
  const registry = new Registry<LiveConnection>();
  for (const device of snapshot.devices) registry.devices.set(device.id, device);
  const state: CoreState = {
    fleetId,
    instanceId,
    startedAtMs: nowMs,
    devices: registry.devices,
    registry,
    certificates: new Map(snapshot.certificates.map((certificate) => [certificate.serial, certificate])),
    authorities: new Map(snapshot.authorities.map((authority) => [authority.id, authority])),
    challenges: new Map(snapshot.challenges.map((challenge) => [challenge.nonce, challenge])),
    serials: new Map(),
    cursors: new Map(),
    outboxes: new Map(),
    requestSeqs: new Map(snapshot.requestSeqs.map(({ deviceId, seq }) => [deviceId, seq])),
    jobs: new Map(),
    rollouts: new Map(),
    rolloutFacts: new Map(),
    schedules: new Map(snapshot.schedules.map(({ name, document }) => [name, document as ScheduleDocument])),
    releases: new Map(),
    schemas: loadSchemaState(snapshot.schemas, snapshot.parked),
    configs: new Map(),
    consumers: new Map(snapshot.consumers.map((consumer) => [consumer.name, consumer])),
    groups: new Map(snapshot.groups.map((group) => [group.name, group])),
    deviceLogs: new Map(snapshot.deviceLogs.map((log) => [log.deviceId, log])),
    laneTimes: new Map(),
    operators: new Map(snapshot.operators.map((operator) => [operator.name, operator])),
    credentials: new Map(),
    suspects: new Map(snapshot.suspects.map((suspect) => [suspectKey(suspect), suspect])),
    enrollmentTokens: new Map(snapshot.enrollmentTokens.map((token) => [token.id, token])),
    preregistrations: new Map(snapshot.preregistrations.map((row) => [row.deviceId, row])),
    keyOwners: new Map(
      snapshot.preregistrations.flatMap(({ keySha256, deviceId }) => (keySha256 ? [[keySha256, deviceId]] : [])),
    ),
    boundGrains: new Map(snapshot.boundGrains.map(({ deviceId, grains }) => [deviceId, grains])),
    frameFaults: new Map(),
    renewals: new Map(snapshot.renewals.map((renewal) => [renewal.deviceId, renewal])),
    live: registry.live,
    probes: new Map(),
    ghosts: new Map(),
    ghostAnswers: new Map(),
    connections: new Map(),
    counters: new Map([
      ['offset', snapshot.lastOffset],
      ['request-row', snapshot.lastRequestRow],
      ['dead-letter', snapshot.lastDeadLetter],
    ]),
  };
  for (const { name, credentials } of snapshot.operators) {
    for (const { id } of credentials) state.credentials.set(id, name);
  }
  for (const { serial, deviceId } of snapshot.certificates) {
    state.serials.set(deviceId, [...(state.serials.get(deviceId) ?? []), serial]);
  }
  for (const { deviceId, instanceId: history, lane, seq, atMs } of snapshot.cursors) {
    const known = state.cursors.get(deviceId) ?? new Map<string, LaneCursor>();
    const cursor = (known.get(history) ?? zeroCursor).with(lane, seq) as unknown as LaneCursor;
    state.cursors.set(deviceId, new Map(known).set(history, cursor));
    const times = state.laneTimes.get(deviceId) ?? [0, 0, 0, 0];
    state.laneTimes.set(deviceId, times.with(lane, Math.max(times[lane]!, atMs)));
  }
  for (const request of snapshot.requests) {
    state.outboxes.set(request.deviceId, [...(state.outboxes.get(request.deviceId) ?? []), request]);
  }
  for (const { deviceId, name, document } of snapshot.configs) {
    const known = state.configs.get(deviceId) ?? new Map<string, ConfigDocument>();
    state.configs.set(deviceId, new Map(known).set(name, document as ConfigDocument));
  }
  for (const { document, members } of snapshot.jobs) {
    const devices = members.map((member) => awayNow(member.document as JobDevice));
    const job = createJobState(document as JobDocument, devices);
    state.jobs.set(job.document.id, job);
  }
  for (const { document, members } of snapshot.rollouts) {
    const rollout = createRolloutState(
      document as RolloutDocument,
      members.map((member) => member.document as TargetDevice),
    );
    state.rollouts.set(rollout.document.id, rollout);
  }
  for (const row of snapshot.releases) {
    state.releases.set(row.id, row.document as StoredRelease);
  }
  return state;
}

/** Nobody is connected to a process that has just started. */
function awayNow({ sentAtMs: _, ...device }: JobDevice): JobDevice {
  return device;
}
