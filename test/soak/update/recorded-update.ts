/**
 * Whole updates of real boards under strace: one to a release that is good, one to a release that is not. What the board
 * and its agent write to the disk, to the agent's database and to the download is on one line of places, and so is what
 * they print; the state of the update at each place is read from the database as it was.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseDocument } from 'yaml';
import type { Update } from '../../../src/agent/updater/update.ts';
import { killMarked, type VirtualBoard } from '../../../src/board/index.ts';
import { boardProcessArgv } from '../../../src/board/launcher-path.ts';
import { boardMark } from '../../../src/board/marked-process.ts';
import type { Release, Rollout } from '../../../src/client/contract/index.ts';
import { prepareDevice } from '../../../src/demo/agent-setup.ts';
import { DemoCli } from '../../../src/demo/demo-cli.ts';
import { rowOf, type RowRecord } from '../../../src/eventlog/row-record.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import type { CrowdFleet } from '../../bench/job/crowd-fleet.ts';
import { eventually } from '../../support/eventually.ts';
import { startTrace, type DiskTrace, type FileTraces } from '../disk-trace.ts';
import { crashFile } from '../crash-image.ts';
import { Dice } from '../dice.ts';
import type { SmallBundle } from '../../support/small-product.ts';

/** What was on disk from a place on. */
export interface Durable {
  place: number;
  /** Undefined before the offer came. */
  update?: Update;
  /** By lane: the last number that was given to an event, and the last that the coordinator is known to have. */
  appendedSeq: number[];
  ackedSeq: number[];
  /** By lane, of requests. */
  requestSeq: number[];
}

export interface RecordedUpdate {
  name: string;
  board: VirtualBoard;
  /** The release that the disk is made with, and the one that it is updated to. */
  before: SmallBundle;
  after: SmallBundle;
  /** Does `after` pass its own health checks? */
  isGood: boolean;
  bundleUuid: string;
  rolloutId: string;
  base: Buffer;
  disk: DiskTrace;
  database: DiskTrace;
  journal: DiskTrace;
  download: DiskTrace;
  /** In order of place; each holds until the next. */
  durable: Durable[];
  /** Every event of the device, by lane and number. */
  rows: Map<number, Map<number, Row>>;
  instanceId: bigint;
  /** Places where the board began to restart. */
  restarts: number[];
}

export interface RecordOption {
  crowd: CrowdFleet;
  dir: string;
  name: string;
  before: SmallBundle;
  after: SmallBundle;
  isGood: boolean;
  /** Targets of the same rollout, none of which is connected yet. */
  others: number;
}

/** Restarts by silence would be ones of this machine's load. */
const patientHardware = { watchdogMs: 60_000, firstTouchMs: 120_000 };
const daySeconds = 86_400;

export async function recordUpdate(option: RecordOption): Promise<RecordedUpdate> {
  const { crowd, dir, name, before, after, isGood, others } = option;
  await mkdir(dir, { recursive: true });
  const cli = new DemoCli(crowd.fleet.dir, new AbortController().signal);
  const id = `${name}-0`;
  const board = await prepareDevice(
    { id, site: 'harbour', ring: 'main' },
    {
      cli,
      boardsDir: join(dir, 'board'),
      bundlePath: before.path,
      publicKeyPath: join(crowd.fleet.dir, 'keys', 'firmware.pub'),
      coordinator: { host: '127.0.0.1', port: crowd.fleet.port },
      hardware: patientHardware,
    },
  );
  await hurry(board);
  const base = await readFile(board.path.disk);
  const state = join(board.path.data, 'state');
  const paths = {
    disk: board.path.disk,
    database: join(state, 'agent.db'),
    journal: join(state, 'agent.db-wal'),
    download: join(state, 'download.fw'),
  };
  const mark = boardMark(board.dir);
  const logs = [board.path.log];
  const environment = { [mark.name]: mark.value };
  const trace = startTrace(boardProcessArgv(board.dir), Object.values(paths), join(dir, `${name}.strace`), {
    environment,
    logs,
  });
  try {
    await eventually(`${id} has told what runs`, async () => (await crowd.client.device(id)).running !== undefined, {
      timeoutMs: 60_000,
    });
    const published = await cli.run<Release>(['release', 'publish', after.path]);
    const rollout = await crowd.client.startRollout({
      release: published.id,
      selector: `${name}-*`,
      phases: [{ size: 'rest' }],
      maxFailures: others + 2,
      maxFailureShare: 1,
      minSample: others + 2,
      maxInFlight: others + 2,
      deadlineSeconds: daySeconds,
      expect: others + 1,
    });
    await ended(crowd, rollout.id, id);
    const { files, appends } = await stopTrace(board, trace, crowd, id);
    const traceOf = (path: string): DiskTrace => files.get(path) ?? { writes: [], syncs: [] };
    const recorded = {
      disk: traceOf(paths.disk),
      database: traceOf(paths.database),
      journal: traceOf(paths.journal),
      download: traceOf(paths.download),
    };
    await requireWhole(base, recorded.disk, paths.disk);
    const read = await readDurable(join(dir, `${name}-replay`), recorded);
    return {
      name,
      board,
      before,
      after,
      isGood,
      bundleUuid: published.bundleUuid,
      rolloutId: rollout.id,
      base,
      ...recorded,
      ...read,
      restarts: (appends.get(board.path.log) ?? []).flatMap(({ text, start }) =>
        text.includes('"event":"reboot"') ? [start] : [],
      ),
    };
  } finally {
    await killMarked(mark);
    await trace.child;
  }
}

/** Probation and waits as short as they may be: they are other tests' business. */
async function hurry({ path }: VirtualBoard): Promise<void> {
  const file = join(path.data, 'agent.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['update', 'health', 'soakSeconds'], 0);
  document.setIn(['update', 'watchdog', 'intervalMs'], 2_000);
  document.setIn(['link', 'backoff', 'firstMaxMs'], 50);
  await writeFile(file, document.toString());
}

async function ended(crowd: CrowdFleet, rolloutId: string, id: string): Promise<Rollout> {
  return eventually(
    `${id} has ended`,
    async () => {
      const rollout = await crowd.client.rollout(rolloutId);
      const device = rollout.devices!.find(({ deviceId }) => deviceId === id)!;
      return device.state === 'committed' || device.state === 'rolled-back' ? rollout : undefined;
    },
    { timeoutMs: 120_000, everyMs: 200 },
  );
}

/** Not before what the device has told is known to it as told, so that the recording has a state after the last one. */
async function stopTrace(
  board: VirtualBoard,
  trace: ReturnType<typeof startTrace>,
  crowd: CrowdFleet,
  id: string,
): Promise<FileTraces> {
  await eventually(`${id} is connected`, async () => (await crowd.client.device(id)).connected);
  const journal = join(board.path.data, 'state', 'agent.db-wal');
  let last = -1;
  await eventually(
    'the database is at rest',
    async () => {
      const { length } = await readFile(journal);
      const same = length === last;
      last = length;
      return same;
    },
    { everyMs: 500 },
  );
  await killMarked(boardMark(board.dir));
  return trace.traces();
}

/** The recording is worth something only if it leads from the disk of before to the one of after. */
async function requireWhole(base: Buffer, disk: DiskTrace, path: string): Promise<void> {
  const image = Buffer.from(base);
  for (const { offset, bytes } of disk.writes) bytes.copy(image, offset);
  if (!image.equals(await readFile(path))) throw new Error('the recorded writes do not give the disk of after');
}

type Recorded = Pick<RecordedUpdate, 'database' | 'journal'>;

async function readDurable(
  dir: string,
  { database, journal }: Recorded,
): Promise<Pick<RecordedUpdate, 'durable' | 'rows' | 'instanceId'>> {
  await mkdir(dir, { recursive: true });
  const durable: Durable[] = [];
  const rows: RecordedUpdate['rows'] = new Map();
  let instanceId = 0n;
  for (const { end } of journal.syncs) {
    const path = join(dir, 'agent.db');
    const none = Buffer.alloc(0);
    await writeFile(path, everything(database, end, none));
    await writeFile(`${path}-wal`, everything(journal, end, none));
    const db = new DatabaseSync(path);
    try {
      const found = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_identity'").get();
      const identity = found && db.prepare('SELECT instance FROM log_identity').get();
      if (identity === undefined) continue; // it is still being made
      instanceId = BigInt(`0x${String(identity['instance'])}`);
      for (const record of db.prepare('SELECT * FROM outbox').all() as unknown as RowRecord[]) {
        let lane = rows.get(record.lane);
        if (lane === undefined) rows.set(record.lane, (lane = new Map()));
        lane.set(record.seq, rowOf(record));
      }
      durable.push({ place: end + 1, ...readOne(db) });
    } finally {
      db.close();
    }
  }
  return { durable, rows, instanceId };
}

/** What all writes that began before `place` and none of the later ones make. */
export function everything(trace: DiskTrace, place: number, base: Buffer): Buffer {
  const synced = { writes: trace.writes, syncs: [{ start: Infinity, end: -1 }] };
  return crashFile(base, synced, place, new Dice(0));
}

function readOne(db: DatabaseSync): Omit<Durable, 'place'> {
  const update = db.prepare('SELECT record FROM agent_update ORDER BY ended, ordinal DESC LIMIT 1').get();
  const lanes = (sql: string): number[] => {
    const seqs = [0, 0, 0, 0];
    for (const row of db.prepare(sql).all()) seqs[Number(row['lane'])] = Number(row['seq']);
    return seqs;
  };
  return {
    ...(update === undefined ? {} : { update: JSON.parse(String(update['record'])) as Update }),
    appendedSeq: lanes('SELECT lane, next_seq - 1 AS seq FROM outbox_cursor'),
    ackedSeq: lanes('SELECT lane, acked_seq AS seq FROM outbox_cursor'),
    requestSeq: lanes('SELECT lane, max(seq) AS seq FROM inbox_cursor GROUP BY lane'),
  };
}
