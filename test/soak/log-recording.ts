/** A real agent whose database is recorded while programs of the product publish: what a power cut could have left. */
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDoor } from '../../src/door/index.ts';
import { agentArgv, killTraced } from './agent-process.ts';
import { startTrace, type DiskTrace } from './disk-trace.ts';
import { Dice } from './dice.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';

/** What a program at the door was told. */
export interface Confirmed {
  id: number;
  type: string;
  lane: number;
  seq: number;
  /** When the answer had come; the publisher's clock is that of the trace. */
  atMs: number;
}

export interface LogRecording {
  /** With configuration, keys and certificate; its state is made anew for each cut. */
  agentDir: string;
  base: Buffer;
  /** Of the database and its journal. */
  database: DiskTrace;
  journal: DiskTrace;
  timesMs: number[];
  confirmed: Confirmed[];
  /** What the coordinator had, and when: `lane seq` to the event's id. */
  received: { lane: number; seq: number; id: number; receivedAtMs: number }[];
  /** When the coordinator went away. */
  aloneSinceMs: number;
}

/** Lanes, retention that prunes, and a type of which only the newest matters. */
const types = `types:
    alarm: { lane: alarm, keepRows: 3 }
    level: { lane: state, latestOnly: true, keepRows: 0 }
    reading: { lane: bulk, keepRows: 20 }
`;

export async function recordLog(dir: string, option: { seed: number; events: number }): Promise<LogRecording> {
  await mkdir(dir, { recursive: true });
  const dice = new Dice(option.seed);
  await using fleet = await createFleet();
  const agent = await fleet.addAgent('meter-1', { configure: (yaml) => yaml.replace('types: {}', types) });
  await fleet.connected('meter-1');
  // Stopped in order: the database is one file.
  agent.signal('SIGTERM');
  const databasePath = join(agent.dir, 'state', 'agent.db');
  const journalPath = `${databasePath}-wal`;
  const base = await eventually('the journal is gone', async () =>
    (await readFile(journalPath).catch(() => undefined)) === undefined ? readFile(databasePath) : undefined,
  );
  await agent.kill();

  const argv = agentArgv(join(agent.dir, 'agent.yaml'));
  const recorded = startTrace(argv, [databasePath, journalPath], join(dir, 'strace.log'));
  const socket = join(agent.dir, 'door.sock');
  const confirmed: Confirmed[] = [];
  await using door = await eventually('the door is open', () => openDoor({ socket }).catch(() => undefined));
  let id = 0;
  const publish = async (): Promise<void> => {
    id += 1;
    const own = id;
    const type = dice.of(['reading', 'reading', 'alarm', 'level']);
    const value = { id: own, text: 'x'.repeat(dice.of([0, 20, 20, 300, 5_000])) };
    const { lane, seq } = await door.publish({ type, key: String(own % 3), value }, { patienceMs: 10_000 });
    confirmed.push({ id: own, type, lane, seq, atMs: performance.timeOrigin + performance.now() });
  };
  const publishSome = async (least: number): Promise<void> => {
    for (let left = least; left > 0;) {
      const burst = dice.of([1, 1, 1, 8]);
      await Promise.all(Array.from({ length: burst }, publish));
      left -= burst;
    }
  };
  await publishSome(Math.floor(option.events / 2));
  const listed = await eventually('the coordinator has the first half', async () => {
    const tail = await fleet.cli(['event', 'tail', '--from', '1', '--limit', '10000', '--json']);
    const rows = tail.rows<{
      type: string;
      lane: number;
      seq: number;
      payload: { id: number };
      receivedAtMs: number;
    }>();
    const own = rows.filter(({ type }) => ['reading', 'alarm', 'level'].includes(type));
    const has = new Set(own.map(({ payload }) => payload.id));
    // A level may have been left out for a newer one.
    return confirmed.every((event) => event.type === 'level' || has.has(event.id)) ? own : undefined;
  });
  await fleet.killCoordinator();
  const aloneSinceMs = performance.timeOrigin + performance.now();
  await publishSome(Math.ceil(option.events / 2));
  await killTraced(recorded.child.pid!);
  const { files, timesMs } = await recorded.traces();
  const database = files.get(databasePath);
  const journal = files.get(journalPath);
  if (database === undefined || journal === undefined) throw new Error('the database was not recorded');
  const agentDir = join(dir, 'agent');
  await rm(join(agent.dir, 'state'), { recursive: true });
  await rm(socket, { force: true });
  await cp(agent.dir, agentDir, { recursive: true });
  const received = listed.map(({ lane, seq, payload, receivedAtMs }) => ({ lane, seq, id: payload.id, receivedAtMs }));
  return { agentDir, base, database, journal, timesMs, confirmed, received, aloneSinceMs };
}
