/** The story, step by step. Everything that an operator would do is a command of the real CLI. */
import { rm, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import type { VirtualBoard } from '../board/index.ts';
import type {
  CoordinatorStatus,
  Device,
  Job,
  JobFollowRow,
  Release,
  Rollout,
  StoredEvent,
} from '../client/contract/index.ts';
import { prepareDevice } from './agent-setup.ts';
import { brokenRelease, buildRelease, publish } from './build-release.ts';
import type { DemoCli } from './demo-cli.ts';
import type { DiskState, PowerCut } from './demo-report.ts';
import { readDiskState } from './disk-state.ts';
import { ringIds, type PlannedDevice } from './fleet-plan.ts';
import { inBatches } from './in-batches.ts';
import { cutPowerDuring, type CutOption } from './power-cut.ts';
import type { Step } from './progress.ts';
import { RolloutWatch } from './rollout-watch.ts';
import { waitUntil } from './wait-until.ts';

export interface Story {
  readonly dir: string;
  readonly fleetDir: string;
  readonly plan: readonly PlannedDevice[];
  readonly cli: DemoCli;
  readonly signal: AbortSignal;
  readonly boards: Map<string, VirtualBoard>;
  readonly releases: Release[];
  readonly cuts: PowerCut[];
  readonly followExit: { second?: number; third?: number };
  readonly selector: string;
  port: number;
  gateways: number;
  connected: string[];
  job?: Job;
  secondRollout?: Rollout;
  thirdRollout?: Rollout;
  afterSecond: Map<string, DiskState>;
  atEnd: Map<string, DiskState>;
  devices: Device[];
  events: StoredEvent[];
}

/** So many boards start, or are made, at the same time: each is two processes and there may be two cores. */
const atOnce = 3;

export const story: Step<Story>[] = [
  { title: 'Make a fleet: authorities, signing key, coordinator', run: makeFleet },
  { title: 'Build and sign harbour-meter 1.0.0', run: async (context) => void (await release(context, '1.0.0')) },
  { title: 'Write the disks, make the keys on the devices, sign their certificates', run: prepareDevices },
  { title: 'Switch the boards on', run: switchOn },
  { title: 'Run a command on what a selector means', run: runCommand },
  { title: 'Roll out 2.0.0 in phases, with two power cuts', run: rollOutSecond },
  { title: 'Roll out 3.0.0, which is broken', run: rollOutThird },
  { title: 'Read the evidence: boards, disks, events', run: collect },
];

async function makeFleet(context: Story): Promise<void> {
  const { cli, fleetDir } = context;
  await cli.run(['init', fleetDir, '--name', 'demo', '--no-passphrase', '--host', '127.0.0.1', '--port', '0']);
  const file = join(fleetDir, 'coordinator.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.set('gateways', 2);
  document.setIn(['listen', 'host'], '127.0.0.1');
  await writeFile(file, document.toString());
  await cli.run(['coordinator', 'start', '--detach']);
  const status = await cli.run<CoordinatorStatus>(['coordinator', 'status']);
  context.port = status.listen.port;
  context.gateways = status.gateways.length;
}

async function release(context: Story, version: string, changes: Record<string, string> = {}): Promise<Release> {
  const bundle = await buildRelease(context.cli, { dir: context.dir, version, changes });
  const published = await publish(context.cli, bundle);
  context.releases.push(published);
  await rm(join(context.dir, 'image', version), { recursive: true }); // the bundle holds them now
  return published;
}

async function prepareDevices(context: Story, say: (text: string) => void): Promise<void> {
  const { cli, dir, fleetDir, port, plan, boards } = context;
  await inBatches(plan, atOnce, async (planned) => {
    const board = await prepareDevice(planned, {
      cli,
      boardsDir: join(dir, 'board'),
      bundlePath: join(dir, 'harbour-meter-1.0.0.fw'),
      publicKeyPath: join(fleetDir, 'keys', 'firmware.pub'),
      coordinator: { host: '127.0.0.1', port },
    });
    boards.set(planned.id, board);
    say(`${boards.size} of ${plan.length}`);
  });
  for (const ring of ['canary', 'early', 'main'] as const) {
    await cli.run(['device', 'tag', `L@${ringIds(plan, ring).join(',')}`, `ring=${ring}`]);
  }
}

/** Connected, and its grains told: only then can a selector see the device. */
async function online({ cli, plan }: Story): Promise<string[]> {
  const devices = await cli.run<Device[]>(['device', 'list']);
  const ready = devices.filter(
    ({ connected, grains, running }) => connected && grains['site'] !== undefined && running !== undefined,
  );
  return plan.map(({ id }) => id).filter((id) => ready.some((device) => device.id === id));
}

async function switchOn(context: Story, say: (text: string) => void): Promise<void> {
  const { boards, plan, signal } = context;
  await inBatches(plan, atOnce, async ({ id }) => {
    const board = boards.get(id)!;
    await board.powerOn();
    await waitUntil(
      async () => ((await board.readLog()).some(({ event }) => event === 'agent-start') ? true : undefined),
      {
        what: `${id} starts its agent`,
        signal,
      },
    );
  });
  await waitUntil(
    async () => {
      context.connected = await online(context);
      say(`${context.connected.length} of ${plan.length} connected`);
      return context.connected.length === plan.length ? true : undefined;
    },
    { what: 'every device is connected', signal, timeoutMs: 40_000, everyMs: 200 },
  );
}

async function runCommand(context: Story, say: (text: string) => void): Promise<void> {
  const { cli, plan, selector } = context;
  const count = selectedIds(plan).length;
  const rows = await cli.rows([
    'run',
    selector,
    '--expect',
    String(count),
    '--timeout',
    '20s',
    '--',
    'cat',
    'etc/os-release',
  ]);
  const last = rows.at(-1) as JobFollowRow;
  if (last.kind === 'job') {
    context.job = await cli.run<Job>(['job', 'show', last.job.id]);
    say(`${context.job.matched} devices: ${JSON.stringify(context.job.counts)}`);
  }
}

/** What the demo's selector means, worked out from the plan and not by the code that it tries. */
export const selectedIds = (plan: readonly PlannedDevice[]): string[] =>
  plan.filter(({ site, ring }) => site === 'harbour' && ring !== 'canary').map(({ id }) => id);

async function startRollout({ cli, plan }: Story, { id }: Release): Promise<Rollout> {
  const size = (ring: PlannedDevice['ring']) => `${ringIds(plan, ring).length}@I@ring:${ring}`;
  const phases = [size('canary'), size('early'), 'rest'].flatMap((phase) => ['--phase', phase]);
  const canaries = String(ringIds(plan, 'canary').length);
  const policy = ['--soak', '1s', '--max-failures', canaries, '--expect', String(plan.length), '--yes'];
  return cli.run<Rollout>(['rollout', 'start', id, 'E@hm-.*', ...phases, ...policy]);
}

async function rollOutSecond(context: Story, say: (text: string) => void): Promise<void> {
  const { cli, boards, plan, releases, signal } = context;
  const second = await release(context, '2.0.0');
  const started = await startRollout(context, second);
  const watch = new RolloutWatch(cli, started.id, () => say(watch.summary()));
  const cutting = plan.flatMap(({ id, cut: phase }) => {
    if (phase === undefined) return [];
    const board = boards.get(id)!;
    const toldState = () => watch.device(id)?.state ?? 'waiting';
    return loseAndRegainPower(context, { board, phase, releases, release: second, toldState, signal });
  });
  const [exitCode] = await Promise.all([watch.ended, ...cutting]);
  context.followExit.second = exitCode;
  context.secondRollout = await cli.run<Rollout>(['rollout', 'status', started.id]);
  for (const { id } of plan) context.afterSecond.set(id, await readDiskState(boards.get(id)!.path.disk, releases));
}

async function loseAndRegainPower({ cli, cuts }: Story, option: CutOption): Promise<void> {
  const { board, signal } = option;
  cuts.push(await cutPowerDuring(option));
  const offline = async () => ((await isOffline(cli, board.deviceId)) ? true : undefined);
  await waitUntil(offline, { what: `${board.deviceId} is offline`, signal, everyMs: 100 });
  await board.powerOn();
}

async function isOffline(cli: DemoCli, id: string): Promise<boolean> {
  return !(await cli.run<Device>(['device', 'show', id])).connected;
}

async function rollOutThird(context: Story, say: (text: string) => void): Promise<void> {
  const { cli } = context;
  const third = await release(context, brokenRelease.version, brokenRelease.changes);
  const started = await startRollout(context, third);
  const watch = new RolloutWatch(cli, started.id, () => say(watch.summary()));
  context.followExit.third = await watch.ended;
  // The canary that was still on its way back when the rollout halted gets the time to arrive.
  const canaries = ringIds(context.plan, 'canary');
  context.thirdRollout = await waitUntil(
    async () => {
      const rollout = await cli.run<Rollout>(['rollout', 'status', started.id]);
      const decided = (rollout.devices ?? []).filter(
        ({ deviceId, state }) => canaries.includes(deviceId) && isDecided(state),
      );
      return decided.length === canaries.length ? rollout : undefined;
    },
    { what: 'every canary has decided about 3.0.0', signal: context.signal, everyMs: 200 },
  );
}

const isDecided = (state: string): boolean =>
  ['committed', 'rolled-back', 'failed', 'timed-out', 'rejected', 'cancelled'].includes(state);

async function collect(context: Story): Promise<void> {
  const { cli, plan, boards, releases, atEnd, signal } = context;
  await waitUntil(async () => ((await online(context)).length === plan.length ? true : undefined), {
    what: 'every device is connected at the end',
    signal,
    everyMs: 200,
  });
  context.devices = await cli.run<Device[]>(['device', 'list']);
  context.events = (await cli.rows(['event', 'tail', '--from', '1', '--limit', '10000'])) as StoredEvent[];
  for (const { id } of plan) atEnd.set(id, await readDiskState(boards.get(id)!.path.disk, releases));
}
