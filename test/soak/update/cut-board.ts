/** One board whose power went at one place of a recording: its files as they may be then, its next boots, the judgement. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createBoard, type BoardRecord, type VirtualBoard } from '../../../src/board/index.ts';
import { isTerminal, type Update } from '../../../src/agent/updater/update.ts';
import type { Device, RolloutDevice } from '../../../src/client/contract/index.ts';
import type { CrowdFleet } from '../../bench/job/crowd-fleet.ts';
import type { CrowdSetup } from '../../bench/job/setup.ts';
import { environmentOf, holds, otherSlot, partitionOf, type Slot } from '../board-disk.ts';
import { crashFile } from '../crash-image.ts';
import type { Dice } from '../dice.ts';
import { eventually } from '../../support/eventually.ts';
import { durableAt } from './cut-place.ts';
import type { RecordedUpdate } from './recorded-update.ts';
import { rehearse } from './understudy.ts';

export interface Cut {
  update: RecordedUpdate;
  place: number;
  dice: Dice;
  device: CrowdSetup['devices'][number];
  dir: string;
}

export interface Ending {
  state: string;
  boots: number;
}

const maxBoots = 3;
const limitMs = 120_000;
const wholeImage = 20 * 1024 * 1024;

/** Throws when the board does not end, or ends as it must not. */
export async function endOfCut(crowd: CrowdFleet, store: DatabaseSync, cut: Cut): Promise<Ending> {
  const { update, place, dice, device } = cut;
  const known = durableAt(update, place);
  await rehearse({
    device,
    port: crowd.fleet.port,
    serverName: crowd.serverName,
    instanceId: update.instanceId,
    rows: update.rows,
    // What is on disk may have been sent, and what was sent may have been acknowledged without the device knowing.
    upToSeq: known.appendedSeq.map((seq, lane) => seq - dice.below(seq - known.ackedSeq[lane]! + 1)),
  });
  await using board = await crashedBoard(cut);
  const before = await readFile(board.path.disk);
  await board.powerOn();
  const ended = await eventually(`${device.id} has ended`, () => settled(crowd, store, board, update.rolloutId), {
    timeoutMs: limitMs,
    everyMs: 150,
  });
  await board.powerOff();
  const after = await readFile(board.path.disk);
  const log = await board.readLog();
  judge({ update, before, after, log, ended, own: ownRecord(board, update.rolloutId) });
  return { state: ended.rollout.state, boots: bootsIn(log).length };
}

type Settled = { rollout: RolloutDevice; device: Device };

/** The coordinator has its verdict, and the board's last boot is the one that the coordinator knows of. */
async function settled(
  { client }: CrowdFleet,
  store: DatabaseSync,
  board: VirtualBoard,
  rolloutId: string,
): Promise<Settled | undefined> {
  const row = store
    .prepare('SELECT document FROM rollout_device WHERE parent = ? AND device = ?')
    .get(rolloutId, board.deviceId);
  const rollout = JSON.parse(String(row?.['document'])) as RolloutDevice;
  const boots = bootsIn(await board.readLog());
  if (boots.length > maxBoots) throw new Error(`${boots.length} boots, the rollout says ${rollout.state}`);
  if (!['committed', 'rolled-back', 'failed', 'rejected', 'cancelled', 'timed-out', 'already'].includes(rollout.state))
    return undefined;
  const device = await client.device(board.deviceId);
  if (!device.connected || device.running?.bootId !== boots.at(-1)?.bootId) return undefined;
  const own = ownRecord(board, rolloutId);
  return own !== undefined && isTerminal(own.state) ? { rollout, device } : undefined;
}

/** The agent's own word, held against the others. */
function ownRecord(board: VirtualBoard, rolloutId: string): Update | undefined {
  const database = new DatabaseSync(join(board.path.data, 'state', 'agent.db'), { timeout: 5_000 });
  try {
    const row = database.prepare('SELECT record FROM agent_update WHERE rollout_id = ?').get(rolloutId);
    return row === undefined ? undefined : (JSON.parse(String(row['record'])) as Update);
  } finally {
    database.close();
  }
}

interface Judged {
  update: RecordedUpdate;
  /** The disk as the power cut left it, and at the end. */
  before: Buffer;
  after: Buffer;
  log: BoardRecord[];
  ended: Settled;
  own: Update | undefined;
}

/** By the disk's bytes, the boot environment, the board's log and the coordinator's record; the agent is not asked. */
function judge({ update, before, after, log, ended: { rollout, device }, own }: Judged): void {
  const must = (holdsTrue: boolean, what: string): void => {
    if (!holdsTrue) throw new Error(`${what} (the rollout says ${rollout.state}: ${rollout.reason?.code ?? ''})`);
  };
  const environment = environmentOf(after);
  must(environment !== undefined, 'no copy of the boot environment is valid');
  const active = environment!.get('active_slot') as Slot;
  must(environment!.get('upgrade_available') === '0', `slot ${active} is left on probation`);
  const boots = bootsIn(log);
  must(boots.length <= maxBoots, `it took ${boots.length} boots`);
  must(!log.some(({ event }) => event === 'panic' || event === 'environment-lost'), 'a boot failed');
  const last = boots.at(-1)!;
  must(last.slot === active, `slot ${last.slot} runs, but ${active} is active`);
  for (const index of [0, 3]) {
    must(partitionOf(after, index).equals(partitionOf(update.base, index)), `partition ${index} was written`);
  }
  must(own?.state === rollout.state, `the device says ${own?.state ?? 'nothing'}`);
  if (rollout.state === 'committed') {
    must(update.isGood, 'a release that fails its checks is called a success');
    must(active === 'b' && holds(after, 'b', update.after.rootfs), 'slot b is not the release');
    must(rollout.evidence?.after?.bootId === proofOf(log, update, rollout), 'another boot was proven than the log has');
    must(device.running?.bundleUuid === update.bundleUuid, 'another bundle runs');
  } else {
    must(rollout.state === 'rolled-back' || rollout.state === 'failed', 'it ended otherwise than it may');
    must(active === 'a' && holds(after, 'a', update.before.rootfs), 'slot a is not as it was');
    must(device.running?.bundleUuid !== update.bundleUuid, 'the release runs');
    must(
      rollout.state === 'failed' || device.quarantinedBundles.includes(update.bundleUuid),
      'the bundle is not in quarantine',
    );
  }
  const left = environmentOf(before);
  const wasProven = left?.get('active_slot') === 'b' && left.get('upgrade_available') === '0';
  if (wasProven) must(after.equals(before) && boots.length === 1, 'what was proven was written or started again');
  if (left?.get('active_slot') === 'b') must(holds(before, 'b', update.after.rootfs), 'the flip came before the bytes');
  if (left?.get('active_slot') === otherSlot('b')) must(holds(before, 'a', update.before.rootfs), 'slot a was touched');
}

/** The boot that the evidence must name: one of this log, or the one that was proven before the cut. */
function proofOf(log: readonly BoardRecord[], update: RecordedUpdate, rollout: RolloutDevice): string | undefined {
  const named = rollout.evidence?.after?.bootId;
  const inLog = bootsIn(log).some(({ bootId, slot }) => bootId === named && slot === 'b');
  const recorded = update.durable.at(-1)!.update?.after?.bootId;
  return inLog || named === recorded ? named : undefined;
}

function bootsIn(log: readonly BoardRecord[]) {
  return log.filter((record) => record.event === 'boot');
}

/** Everything but what was recorded is copied from the recorded board; identity and paths are the board's own. */
async function crashedBoard({ update, place, dice, device, dir }: Cut): Promise<VirtualBoard> {
  const board = await createBoard({ dir, deviceId: device.id, watchdogMs: 60_000, firstTouchMs: 120_000 });
  const source = update.board.path.data;
  const names = (await readdir(source)).filter((name) => name !== 'state' && !name.endsWith('.sock'));
  for (const name of names) await cp(join(source, name), join(board.path.data, name), { recursive: true });
  const configPath = join(board.path.data, 'agent.yaml');
  const config = (await readFile(configPath, 'utf8')).replaceAll(update.board.dir, dir);
  await writeFile(configPath, config);
  const { keyPem, certificatePem, authorityPem } = device;
  const identity = { 'device.key': keyPem, 'device.crt': certificatePem, 'authority.crt': authorityPem };
  for (const [name, text] of Object.entries(identity))
    await writeFile(join(board.path.data, name), text, { mode: 0o600 });

  const state = join(board.path.data, 'state');
  await mkdir(state, { recursive: true, mode: 0o700 });
  const none = Buffer.alloc(0);
  const files = {
    'agent.db': crashFile(none, update.database, place, dice),
    'agent.db-wal': crashFile(none, update.journal, place, dice),
    'download.fw': crashFile(none, update.download, place, dice),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await rm(join(state, name), { force: true });
    if (bytes.length > 0) await writeFile(join(state, name), bytes, { mode: 0o600 });
  }
  const disk = crashFile(update.base, update.disk, place, dice);
  if (disk.length > wholeImage) throw new Error(`a disk of ${disk.length} bytes`);
  await writeFile(board.path.disk, disk);
  return board;
}
