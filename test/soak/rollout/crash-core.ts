/**
 * A coordinator that is meant to be killed: the real core with its store thread, and devices at its port whose disks are
 * files, so that they go on where they were when the next process begins. Each line on stdout is a thing that has
 * happened; the parent counts them and kills at one. Arguments: the folder, and `setup` for the first time.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerIdentity } from '../../../src/coordinator/gateway/port.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { startCore, row, type CoreBench, type FakeDevice } from '../../integration/coordinator/core-bench.ts';
import { enroll } from '../../integration/coordinator/enroll.ts';
import { bundle, keys } from '../../integration/coordinator/signed-bundle.ts';

const deviceCount = 12;
const oldUuid = '00000000-0000-4000-8000-000000000001';
const path = ['offered', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'committed'] as const;

interface Disk {
  identity: PeerIdentity;
  /** Of the control lane, from 1. */
  events: { type: string; key: string; payload: unknown }[];
  requestCursor: number;
  running: { bootId: string; slot: string; bundleUuid: string };
  update?: { rolloutId: string; bundleUuid: string; at: number; attempt: number; before: Disk['running'] };
  /** Attempts at updates that it has begun. */
  attempts: number;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** What becomes of a device's update is the device's own: its number decides. */
class DiskDevice {
  readonly #file: string;
  readonly #number: number;
  readonly #core: CoreBench;
  readonly #disk: Disk;
  #link!: FakeDevice;
  #seen = 0;

  constructor(folder: string, number: number, core: CoreBench) {
    this.#file = join(folder, `device-${number}.json`);
    this.#number = number;
    this.#core = core;
    this.#disk = JSON.parse(readFileSync(this.#file, 'utf8')) as Disk;
  }

  async connect(): Promise<void> {
    const { events, identity, requestCursor } = this.#disk;
    const known = readKnown(this.#file);
    this.#link = this.#core.gateways.connect(identity, {
      nextSeq: [events.length + 1, 1, 1, 1],
      knownCoordinatorInstanceId: known,
      requestCursor: [requestCursor, 0, 0, 0],
    });
    const { coordinatorInstanceId, eventCursor } = await this.#link.admitted.promise;
    writeFileSync(`${this.#file}.known`, String(coordinatorInstanceId));
    for (let seq = eventCursor[0]! + 1; seq <= events.length; seq += 1) this.#send(seq);
  }

  /** One thing: takes the next request, or goes a step on with its update. */
  step(): void {
    const next = this.#link.requests[this.#seen];
    if (next !== undefined) {
      this.#seen += 1;
      return this.#take(next.seq, next.row.type, JSON.parse(Buffer.from(next.row.payload).toString()));
    }
    const { update } = this.#disk;
    if (update === undefined) return;
    const state = this.#endOf(update) ?? path[update.at]!;
    const over = update.at >= path.length - 1 || state === 'failed' || state === 'rolled-back';
    if (state === 'testing') {
      this.#disk.running = { bootId: `boot-${this.#disk.events.length}`, slot: 'b', bundleUuid: update.bundleUuid };
      this.#note('flotilla.boot', '', { running: this.#disk.running, agentVersion: '1.0.0' });
    }
    const { rolloutId, bundleUuid, before, attempt } = update;
    const evidence = { before, after: this.#disk.running, health: [], downloadedBytes: 1 };
    this.#note('flotilla.update', rolloutId, {
      rolloutId,
      bundleUuid,
      state,
      attempt,
      ...(state === 'committed' ? { evidence } : {}),
    });
    if (over) delete this.#disk.update;
    else update.at += 1;
    this.#save();
    say(`${this.#number} ${state}`);
  }

  /** Every fifth device fails at its first try, every seventh reverts. */
  #endOf({ at, attempt }: NonNullable<Disk['update']>): 'failed' | 'rolled-back' | undefined {
    if (this.#number % 5 === 3 && attempt === 1 && at === 2) return 'failed';
    return this.#number % 7 === 4 && at === 4 ? 'rolled-back' : undefined;
  }

  #take(seq: number, type: string, payload: { rolloutId: string; bundle: { bundleUuid: string } }): void {
    if (seq > this.#disk.requestCursor) {
      this.#disk.requestCursor = seq;
      if (type === 'update.offer') {
        this.#disk.attempts += 1;
        const { rolloutId, bundle: offered } = payload;
        const before = this.#disk.running;
        const attempt = this.#disk.attempts;
        this.#disk.update = { rolloutId, bundleUuid: offered.bundleUuid, at: 0, attempt, before };
      }
      this.#save();
    }
    this.#link.confirm(seq);
    say(`${this.#number} took ${type}`);
  }

  #note(type: string, key: string, payload: unknown): void {
    this.#disk.events.push({ type, key, payload });
    this.#save();
    this.#send(this.#disk.events.length);
  }

  #send(seq: number): void {
    const { type, key, payload } = this.#disk.events[seq - 1]!;
    this.#core.gateways.handler.events(this.#link.connection, Lane.control, seq, [row(type, payload, key)]);
  }

  /** Whole or not at all. */
  #save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#disk));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function readKnown(file: string): bigint {
  try {
    return BigInt(readFileSync(`${file}.known`, 'utf8'));
  } catch {
    return 0n;
  }
}

async function setUp(folder: string, core: CoreBench): Promise<void> {
  const release = await bundle(folder, '2.0.0', await keys(core), 4_096);
  await core.client.publish(release, { channel: 'stable' });
  for (let number = 0; number < deviceCount; number += 1) {
    const identity = await enroll(core.client, `d${number}`);
    const running = { bootId: 'boot-0', slot: 'a', bundleUuid: oldUuid };
    const disk: Disk = { identity, events: [], requestCursor: 0, running, attempts: 0 };
    disk.events.push({ type: 'flotilla.boot', key: '', payload: { running, agentVersion: '1.0.0' } });
    await writeFile(join(folder, `device-${number}.json`), JSON.stringify(disk));
  }
}

const [folder, mode] = process.argv.slice(2);
if (folder === undefined) throw new Error('which folder?');
const core = await startCore(folder);
if (mode === 'setup') await setUp(folder, core);
const devices = Array.from({ length: deviceCount }, (_, number) => new DiskDevice(folder, number, core));
for (const device of devices) await device.connect();
if (mode === 'setup') {
  const { id } = await core.client.startRollout({
    release: 'meter/2.0.0',
    selector: '*',
    phases: [{ size: '2', gate: { success: 0.5 } }, { size: '50%', gate: { success: 0.5 } }, { size: 'rest' }],
    maxFailures: 6,
    maxFailureShare: 1,
    maxInFlight: 4,
    expect: deviceCount,
    retry: { perDevice: 2, perPhase: 9, backoffSeconds: 0.05 },
  });
  await writeFile(join(folder, 'rollout'), id);
  say('set up');
}
const id = await readFile(join(folder, 'rollout'), 'utf8');
for (;;) {
  for (const device of devices) {
    device.step();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { state } = await core.client.rollout(id);
  if (state !== 'running') break;
}
await writeFile(join(folder, 'outcome.json'), JSON.stringify(await core.client.rollout(id)));
await core.coordinator.stop();
process.exit(0);
