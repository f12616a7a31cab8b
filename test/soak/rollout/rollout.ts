/**
 * A rollout over hundreds of real agents, many to a process: real coordinator, gateways, TLS, updater and engine; the
 * disks are image files, and a restart is one of the agent within its process. Some slots do not pass their health checks,
 * some devices are away or come back late, some links flap. The rollout must halt exactly where its policy says, touch
 * nobody after that, end as it must once it is resumed, and its report must count what the agents' own logs say.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { openClient } from '../../../src/cli/open-client.ts';
import type { Rollout, RolloutRecordingRow, RolloutReport } from '../../../src/client/contract/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import type { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { productPath } from '../../../src/board/index.ts';
import { buildBundle } from '../../../src/firmware/index.ts';
import { replayRecording } from '../../../src/simulation/index.ts';
import { eventually } from '../../support/eventually.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { Dice } from '../dice.ts';
import { accountOf, type AgentAccount } from './agent-account.ts';
import { makeDevice, type DeviceRole } from './device-folder.ts';

export interface RolloutSoakOption {
  agents: number;
  seed: number;
  gateways: number;
  /** How long the rollout waits for those that do not come back. */
  deadlineSeconds: number;
  say(text: string): void;
  /** Told when the rollout has halted, and when it has ended; the fleet is still there. */
  onStop?(fleet: TestFleet, rolloutId: string, state: 'halted' | 'ended'): Promise<void>;
}

export interface RolloutSoakReport {
  soak: 'rollout';
  agents: number;
  seed: number;
  /** What was not real here. */
  simulated: string;
  roles: Record<DeviceRole, number>;
  /** `takenBack`: were offered it and had not begun. */
  halts: { failures: number; limit: number; takenBack: number; begunAfterwards: number }[];
  counts: Record<string, number>;
  seconds: number;
  replayDifferences: number;
  problems: string[];
}

const crowdSize = 50;
const waitMs = 900_000;
const shares = { bad: 0.05, offline: 0.03, flapping: 0.02, deferring: 0.01 } as const;

export async function runRollout(option: RolloutSoakOption): Promise<RolloutSoakReport> {
  const { agents, seed, gateways, deadlineSeconds, say } = option;
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await createFleet({ gateways }));
  const client = await openClient({ 'fleet-dir': fleet.dir });
  const crowds: Crowd[] = [];
  stack.defer(async () => {
    for (const crowd of crowds) crowd.kill('SIGKILL');
    await Promise.all(crowds);
  });

  const roles = drawRoles(agents, new Dice(seed));
  const key = join(fleet.dir, 'keys', 'firmware');
  const images = join(fleet.scratch, 'image');
  await mkdir(images);
  const [first, second] = [await build(images, '1.0.0', `${key}.priv`), await build(images, '2.0.0', `${key}.priv`)];
  const dirs = new Map([...roles.keys()].map((id) => [id, join(fleet.scratch, id)]));
  for (const [id, role] of roles) {
    const at = { id, dir: dirs.get(id)!, role, port: fleet.port, client };
    await makeDevice({ ...at, bundle: first, publicKeyPath: `${key}.pub` });
  }
  const withRole = (...wanted: DeviceRole[]) =>
    [...roles].filter(([, role]) => wanted.includes(role)).map(([id]) => id);
  const there = withRole('good', 'bad', 'flapping', 'deferring');
  const late = withRole('late');
  const start = (ids: readonly string[]): void => startCrowds(crowds, ids, dirs);
  say(`${agents} devices are made`);
  start(there);
  await connected(client, there);
  say(`${there.length} are connected`);

  const release = await client.publish(second, { channel: 'stable' });
  const began = performance.now();
  const limit = Math.max(1, Math.ceil(withRole('bad').length / 2));
  const { id: rolloutId } = await client.startRollout({
    release: release.id,
    selector: '*',
    expect: agents,
    phases: [{ size: '1%' }, { size: '10%' }, { size: 'rest' }],
    maxFailures: limit,
    maxFailureShare: 1,
    maxInFlight: 60,
    deadlineSeconds,
  });
  // They come back while it goes on.
  start(late);
  const problems: string[] = [];
  const accounts = async () => {
    const found = new Map<string, AgentAccount>();
    for (const [id, dir] of dirs) found.set(id, await accountOf(dir, rolloutId));
    return found;
  };

  await stopped(client, rolloutId);
  const halts: RolloutSoakReport['halts'] = [];
  const atHalt = await client.rolloutReport(rolloutId);
  if (atHalt.rollout.state !== 'halted') problems.push(`it is ${atHalt.rollout.state}, not halted`);
  else halts.push(judgeHalt(atHalt, await accounts(), limit, problems));
  say(`halted: ${atHalt.rollout.reason ?? ''}`);
  await option.onStop?.(fleet, rolloutId, 'halted');
  await connected(client, late);
  if (atHalt.rollout.state === 'halted') await client.changeRollout(rolloutId, 'resume', {});
  await stopped(client, rolloutId);
  const report = await client.rolloutReport(rolloutId);
  const seconds = Math.round((performance.now() - began) / 1000);
  say(`${report.rollout.state}: ${JSON.stringify(report.rollout.counts)}`);

  await option.onStop?.(fleet, rolloutId, 'ended');
  const takenBack = idsIn(atHalt, 'cancelled');
  problems.push(...compare(report, await accounts(), roles, takenBack));
  problems.push(...(await judgeDeferring(client, rolloutId, withRole('deferring'), takenBack)));
  const replayed = await replayRecording(await recordingOf(client, rolloutId));
  problems.push(...replayed.differences.map((difference) => `replayed: ${difference}`));
  return {
    soak: 'rollout',
    agents,
    seed,
    simulated: 'disks are image files of this machine; a restart is one of the agent within its process',
    roles: countBy(roles.values()),
    halts,
    counts: report.rollout.counts,
    seconds,
    replayDifferences: replayed.differences.length,
    problems,
  };
}

/** Exactly at its limit, and nobody that had not been offered it by then has begun. */
function judgeHalt(
  { rollout, timeline, devices }: RolloutReport,
  accounts: ReadonlyMap<string, AgentAccount>,
  limit: number,
  problems: string[],
): RolloutSoakReport['halts'][number] {
  const haltedAtMs = timeline.findLast(({ state, phase }) => state === 'halted' && phase === undefined)?.atMs ?? 0;
  const rolledBack = devices.filter(({ state }) => state === 'rolled-back');
  const before = rolledBack.filter(({ sinceMs }) => sinceMs < haltedAtMs).length;
  // Others may have failed in the same millisecond.
  const by = rolledBack.filter(({ sinceMs }) => sinceMs <= haltedAtMs).length;
  const failures = Math.max(before, Math.min(by, limit));
  if (before >= limit || by < limit) problems.push(`halted at ${before} to ${by} failures, the limit is ${limit}`);
  if (rollout.reason?.startsWith(`${limit} of `) !== true) problems.push(`the reason is: ${rollout.reason}`);
  const untouched = devices.filter(({ attempts }) => attempts === 0).map(({ deviceId }) => deviceId);
  const begun = untouched.filter((id) => accounts.get(id)!.state !== 'untouched');
  if (begun.length > 0) problems.push(`began without an offer: ${begun.join(', ')}`);
  const afterwards = [...accounts].filter(([, { beganAtMs = 0 }]) => beganAtMs > haltedAtMs + graceMs);
  if (afterwards.length > 0) problems.push(`began after the halt: ${afterwards.map(([id]) => id).join(', ')}`);
  const takenBack = idsIn({ devices }, 'cancelled').size;
  return { failures, limit, takenBack, begunAfterwards: afterwards.length };
}

/** Of an offer that was on its way when the rollout halted: this machine is busy. */
const graceMs = 3_000;

/** Each device as its role and its own log say, and the report's numbers as the sums of that. */
function compare(
  report: RolloutReport,
  accounts: ReadonlyMap<string, AgentAccount>,
  roles: ReadonlyMap<string, DeviceRole>,
  takenBack: ReadonlySet<string>,
): string[] {
  const problems: string[] = [];
  const expected: Record<DeviceRole, string> = {
    good: 'committed',
    flapping: 'committed',
    deferring: 'committed',
    late: 'committed',
    bad: 'rolled-back',
    gone: 'timed-out',
  };
  const told = { committed: 0, 'rolled-back': 0, touched: 0, bytes: 0 };
  for (const device of report.devices) {
    const { deviceId, state, attempts, evidence } = device;
    const { state: own, reason, starts, downloadedBytes } = accounts.get(deviceId)!;
    const role = roles.get(deviceId)!;
    const wanted = takenBack.has(deviceId) ? 'cancelled' : expected[role];
    if (state !== wanted) problems.push(`${deviceId} (${role}) is ${state}, expected ${wanted}; it says ${own}`);
    if (own !== (role === 'gone' ? 'untouched' : state)) problems.push(`${deviceId} is ${state}, it says ${own}`);
    if (attempts > 0 !== (own !== 'untouched')) problems.push(`${deviceId}: ${attempts} tries, it says ${own}`);
    if (state === 'rolled-back' && device.reason?.code !== reason)
      problems.push(`${deviceId}: ${device.reason?.code} reported, ${reason} in its log`);
    // A new slot is one restart, the way back another.
    const boots = state === 'committed' ? 2 : state === 'rolled-back' ? 3 : role === 'gone' ? 0 : 1;
    if (starts !== boots) problems.push(`${deviceId} (${state}) was started ${starts} times, not ${boots}`);
    if (state === 'committed' && evidence?.slotDigestMatches !== true) problems.push(`${deviceId}: no digest`);
    if (own === 'committed' || own === 'rolled-back') told[own] += 1;
    if (own !== 'untouched') told.touched += 1;
    // Of what was taken back nobody says how far it had come.
    if (evidence !== undefined) told.bytes += downloadedBytes;
  }
  const numbers: [string, number, number][] = [
    ['succeeded', report.succeeded, told.committed],
    ['failed', report.failed, told['rolled-back']],
    ['touched', report.touched, told.touched],
    ['causes', report.causes.find(({ state }) => state === 'rolled-back')?.count ?? 0, told['rolled-back']],
    ['fetchedBytes', report.bytes.fetchedBytes, told.bytes],
    ['durations', report.durations['whole']?.count ?? 0, told.touched],
  ];
  for (const [name, reported, counted] of numbers) {
    if (reported !== counted) problems.push(`the report says ${name} ${reported}, the agents' logs ${counted}`);
  }
  return problems;
}

function idsIn({ devices }: Pick<RolloutReport, 'devices'>, state: string): Set<string> {
  return new Set(devices.filter((device) => device.state === state).map(({ deviceId }) => deviceId));
}

/** Each has said that its product puts the update off, and was waited for. */
async function judgeDeferring(
  client: CoordinatorClient,
  rolloutId: string,
  ids: readonly string[],
  takenBack: ReadonlySet<string>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const id of ids.filter((each) => !takenBack.has(each))) {
    const told = await client.events({ selector: id, type: 'flotilla.update' });
    const waits = told
      .map(({ payload }) => payload as Partial<UpdateEvent>)
      .filter((event) => event.rolloutId === rolloutId);
    if (!waits.some(({ wait }) => wait?.code === 'deferred')) problems.push(`${id} was not heard to put it off`);
  }
  return problems;
}

function drawRoles(agents: number, dice: Dice): Map<string, DeviceRole> {
  const ids = Array.from({ length: agents }, (_, n) => `d-${String(n).padStart(3, '0')}`);
  const roles = new Map<string, DeviceRole>(ids.map((id) => [id, 'good']));
  const left = [...ids];
  const give = (role: DeviceRole, count: number): void => {
    for (let n = 0; n < count; n += 1) roles.set(left.splice(dice.below(left.length), 1)[0]!, role);
  };
  const offline = Math.max(2, Math.round(agents * shares.offline));
  give('bad', Math.max(2, Math.round(agents * shares.bad)));
  give('late', Math.ceil(offline / 2));
  give('gone', Math.floor(offline / 2));
  give('flapping', Math.max(1, Math.round(agents * shares.flapping)));
  give('deferring', Math.max(1, Math.round(agents * shares.deferring)));
  return roles;
}

/** The example product's layout, small. */
async function build(folder: string, version: string, privateKeyPath: string): Promise<string> {
  const at = (name: string) => join(folder, `${version}-${name}`);
  await writeFile(at('boot.img'), `boot ${version}`);
  await writeFile(at('rootfs.img'), Buffer.alloc(20_000, version));
  const outputPath = at('signed.fw');
  await buildBundle({
    configPath: join(productPath(), 'fwup.conf'),
    outputPath,
    variables: { HM_VERSION: version, HM_BOOT: at('boot.img'), HM_ROOTFS: at('rootfs.img') },
    privateKeyPath,
  });
  return outputPath;
}

type Crowd = ReturnType<typeof startCrowd>;

function startCrowd(dirs: readonly string[]) {
  const script = join(import.meta.dirname, 'update-crowd.ts');
  return execa(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...dirs], {
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  });
}

function startCrowds(crowds: Crowd[], ids: readonly string[], dirs: ReadonlyMap<string, string>): void {
  for (let n = 0; n < ids.length; n += crowdSize) {
    crowds.push(startCrowd(ids.slice(n, n + crowdSize).map((id) => dirs.get(id)!)));
  }
}

async function connected(client: CoordinatorClient, ids: readonly string[]): Promise<void> {
  await eventually(
    `${ids.length} devices are connected and have told what they run`,
    async () => {
      const known = await client.devices({});
      const ready = new Set(known.filter((device) => device.connected && device.running).map(({ id }) => id));
      return ids.every((id) => ready.has(id));
    },
    { timeoutMs: waitMs, everyMs: 500 },
  );
}

/** Not running, and nobody is on the way. */
async function stopped(client: CoordinatorClient, id: string): Promise<void> {
  const onTheWay: (keyof Rollout['counts'])[] = [
    'offered',
    'downloading',
    'verified',
    'installing',
    'rebooting',
    'testing',
  ];
  await eventually(
    'the rollout has ended or halted',
    async () => {
      const { state, counts } = await client.rollout(id);
      return state !== 'running' && onTheWay.every((each) => counts[each] === undefined);
    },
    { timeoutMs: waitMs, everyMs: 500 },
  );
}

async function recordingOf(client: CoordinatorClient, id: string): Promise<RolloutRecordingRow[]> {
  const rows: RolloutRecordingRow[] = [];
  for await (const row of client.rolloutRecording(id)) rows.push(row);
  return rows;
}

function countBy(roles: Iterable<DeviceRole>): Record<DeviceRole, number> {
  const counts = { good: 0, bad: 0, late: 0, gone: 0, flapping: 0, deferring: 0 };
  for (const role of roles) counts[role] += 1;
  return counts;
}
