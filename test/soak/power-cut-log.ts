/**
 * The power is cut while an agent writes its log: the writes and syncs of its database are recorded, and files are
 * made that such a cut may leave. On each of them a real agent starts. Whatever the cut: no event is lost that a program
 * at the door was told is safe, and no number is given to two events. Each point has a seed of its own:
 * `npm run soak -- power-cut-log --recording N --seed M --points 1`.
 */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { openDoor } from '../../src/door/index.ts';
import { eventually } from '../support/eventually.ts';
import { agentArgv } from './agent-process.ts';
import { crashFile } from './crash-image.ts';
import { Dice } from './dice.ts';
import type { LogRecording } from './log-recording.ts';

const states = ['connected', 'alone'] as const;
type State = (typeof states)[number];

interface Failure {
  seed: number;
  /** The line of the trace before which the power went. */
  place: number;
  reason: string;
}

export interface PowerCutLogReport {
  soak: 'power-cut-log';
  seed: number;
  points: number;
  durationMs: number;
  /** Whether the agent had its coordinator when the power went. */
  byState: Record<State, number>;
  recorded: { file: string; writes: number; bytes: number; syncs: number }[];
  /** Events that the door had confirmed in the whole recording, and the sum over all cuts of those before the cut. */
  confirmed: number;
  checked: number;
  failures: Failure[];
}

export interface PowerCutLogOption {
  seed: number;
  points: number;
  seconds: number;
  /** Scratch space. */
  dir: string;
  onProgress(points: number, elapsedMs: number): void;
}

/** Agents that are started at a time. */
const parallel = 2;

export async function powerCutLog(recording: LogRecording, option: PowerCutLogOption): Promise<PowerCutLogReport> {
  const startMs = performance.now();
  const { database, journal } = recording;
  const report: PowerCutLogReport = {
    soak: 'power-cut-log',
    seed: option.seed,
    points: 0,
    durationMs: 0,
    byState: { connected: 0, alone: 0 },
    recorded: Object.entries({ database, journal }).map(([file, { writes, syncs }]) => ({
      file,
      writes: writes.length,
      bytes: writes.reduce((sum, { bytes }) => sum + bytes.length, 0),
      syncs: syncs.length,
    })),
    confirmed: recording.confirmed.length,
    checked: 0,
    failures: [],
  };
  let next = option.seed;
  let toldMs = startMs;
  const work = async (): Promise<void> => {
    while (next < option.seed + option.points && report.failures.length < 20) {
      const nowMs = performance.now();
      if (nowMs - startMs > option.seconds * 1_000) return;
      if (nowMs - toldMs > 10_000) {
        toldMs = nowMs;
        option.onProgress(report.points, nowMs - startMs);
      }
      const seed = next;
      next += 1;
      const place = placeOf(recording, new Dice(seed));
      try {
        report.checked += await checkPoint(recording, { seed, place, dir: join(option.dir, `point-${seed}`) });
      } catch (error) {
        report.failures.push({ seed, place, reason: String(error) });
      }
      report.points += 1;
      report.byState[recording.timesMs[place]! < recording.aloneSinceMs ? 'connected' : 'alone'] += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  report.durationMs = Math.round(performance.now() - startMs);
  return report;
}

/** Anywhere, or right after a sync has returned, where what was just confirmed hangs by the least. */
function placeOf({ database, journal, timesMs }: LogRecording, dice: Dice): number {
  const { end } = dice.of(dice.of([database, journal, journal]).syncs);
  return dice.of([1 + dice.below(timesMs.length), end + 1, end + 1 + dice.below(4)]);
}

interface Row {
  lane: number;
  seq: number;
  payload: string;
}
interface Cursor {
  lane: number;
  next_seq: number;
  acked_seq: number;
}

/** Throws when something is lost or a number is used twice; returns how many confirmed events were looked for. */
async function checkPoint(
  recording: LogRecording,
  { seed, place, dir }: { seed: number; place: number; dir: string },
): Promise<number> {
  const cutMs = recording.timesMs[place] ?? Infinity;
  const confirmed = recording.confirmed.filter(({ atMs, type }) => atMs < cutMs && type !== 'level');
  const received = recording.received.filter(({ receivedAtMs }) => receivedAtMs < cutMs);
  await cp(recording.agentDir, dir, { recursive: true });
  const state = join(dir, 'state');
  await mkdir(state, { mode: 0o700 });
  const dice = new Dice(seed ^ 0x5a5a5a5a);
  const files = {
    'agent.db': crashFile(recording.base, recording.database, place, dice),
    'agent.db-wal': crashFile(Buffer.alloc(0), recording.journal, place, dice),
  };
  for (const folder of [state, join(dir, 'judged')]) {
    await mkdir(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes, { mode: 0o600 });
  }
  // Debian's sqlite3 recovers a copy by itself and says what it found.
  judge(await readLog(join(dir, 'judged', 'agent.db')), { confirmed, received });
  const fresh = await publishMore(dir);
  const after = await readLog(join(state, 'agent.db'));
  judge(after, { confirmed, received });
  for (const { lane, seq, id } of fresh) {
    const before = [...confirmed, ...received].filter((event) => event.lane === lane && event.seq >= seq);
    if (before.length > 0) throw new Error(`lane ${lane}: ${seq} was given again, after ${before[0]!.seq}`);
    if (idAt(after.rows, lane, seq) !== id) throw new Error(`lane ${lane}: ${seq} is not the event that was confirmed`);
  }
  await rm(dir, { recursive: true });
  return confirmed.length;
}

/** The agent on what the cut has left, without a coordinator: it has to take new events, and is killed again. */
async function publishMore(dir: string): Promise<{ lane: number; seq: number; id: number }[]> {
  const [program, ...args] = agentArgv(join(dir, 'agent.yaml'));
  const agent = execa(program!, args, { reject: false, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' });
  try {
    const ended = agent.then(({ stderr }) => {
      throw new Error(`the agent did not start: ${stderr.slice(-400)}`);
    });
    const opened = eventually('the door is open', () =>
      openDoor({ socket: join(dir, 'door.sock') }).catch(() => undefined),
    );
    await using door = await Promise.race([opened, ended]);
    ended.catch(() => undefined);
    const fresh = [];
    for (const [n, type] of ['reading', 'alarm', 'reading'].entries()) {
      const id = 1_000_000 + n;
      fresh.push({ id, ...(await door.publish({ type, key: 'after', value: { id } })) });
    }
    return fresh;
  } finally {
    agent.kill('SIGKILL');
    await agent;
  }
}

interface LogRows {
  rows: Row[];
  cursors: Cursor[];
}

function judge({ rows, cursors }: LogRows, told: Pick<LogRecording, 'confirmed' | 'received'>): void {
  for (const { lane, next_seq } of cursors) {
    const given = [...told.confirmed, ...told.received].filter((event) => event.lane === lane);
    const highest = Math.max(0, ...given.map(({ seq }) => seq));
    if (next_seq <= highest) throw new Error(`lane ${lane}: the next number is ${next_seq}, ${highest} was given`);
  }
  for (const { lane, seq, id } of told.confirmed) {
    const found = idAt(rows, lane, seq);
    // What the coordinator has acknowledged may be gone: that it has it was seen at the end of the recording.
    const acknowledged = seq <= cursors.find((cursor) => cursor.lane === lane)!.acked_seq;
    if (found === undefined ? !acknowledged : found !== id) {
      throw new Error(
        `event ${id}, confirmed as ${seq} of lane ${lane}: ${found === undefined ? 'lost' : `is ${found}`}`,
      );
    }
  }
  for (const { lane, seq, id } of told.received) {
    const found = idAt(rows, lane, seq);
    if (found !== undefined && found !== id) throw new Error(`lane ${lane}: ${seq} was sent as ${id}, and is ${found}`);
  }
}

function idAt(rows: readonly Row[], lane: number, seq: number): number | undefined {
  const row = rows.find((each) => each.lane === lane && each.seq === seq);
  return row === undefined ? undefined : (JSON.parse(row.payload) as { id: number }).id;
}

async function readLog(path: string): Promise<LogRows> {
  const ask = async <T>(sql: string): Promise<T[]> => {
    const { stdout } = await execa('sqlite3', ['-json', path, sql]);
    return stdout === '' ? [] : (JSON.parse(stdout) as T[]);
  };
  const [sound] = await ask<{ integrity_check: string }>('PRAGMA integrity_check');
  if (sound?.integrity_check !== 'ok') throw new Error(`the database is not sound: ${sound?.integrity_check}`);
  return {
    rows: await ask(
      "SELECT lane, seq, CAST(payload AS TEXT) AS payload FROM outbox WHERE type IN ('reading', 'alarm', 'level')",
    ),
    cursors: await ask('SELECT lane, next_seq, acked_seq FROM outbox_cursor ORDER BY lane'),
  };
}

/** What makes a run a failure. */
export function verdict(report: PowerCutLogReport): string[] {
  return [
    ...report.failures.map(({ seed, reason }) => `seed ${seed}: ${reason}`),
    ...states
      .filter((state) => report.byState[state] === 0 && report.points >= 30)
      .map((state) => `no cut while the agent was ${state}`),
    ...(report.points === 0 ? ['no point was tried'] : []),
  ];
}
