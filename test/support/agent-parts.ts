/** What the parts of an agent stand on, without a network: a real database and log, a link that a test moves by hand. */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { createLog, type Log } from '../../src/log.ts';
import type { Link, LinkState, LinkStatus } from '../../src/agent/link/port.ts';
import { ensureAgentSchema } from '../../src/agent/state/agent-schema.ts';
import { systemClock, type Clock } from '../../src/clock.ts';
import { createDeviceLog, openDeviceDatabase, parseJsonRow, type DeviceLog } from '../../src/eventlog/index.ts';
import type { Lane } from '../../src/protocol/lane.ts';
import { temporaryDirectory } from './temporary.ts';

export interface AgentParts extends AsyncDisposable {
  dir: string;
  database: DatabaseSync;
  log: DeviceLog;
  link: Link & { turn(state: LinkState): void };
  clock: Clock;
  logger: Log;
  /** Payloads of the log's events of this type. */
  events<Event>(lane: Lane, type: string): Event[];
}

/** `path`: the state of an earlier one, as after a crash. */
export async function agentParts(option: { linked?: boolean; path?: string } = {}): Promise<AgentParts> {
  const folder = await temporaryDirectory();
  const dir = option.path ?? folder.path;
  const database = openDeviceDatabase(join(dir, 'agent.db'));
  const log = createDeviceLog(database);
  ensureAgentSchema(database);
  const listeners = new Set<(status: LinkStatus) => void>();
  let status: LinkStatus = { state: option.linked === false ? 'waiting' : 'live', sinceMs: 0 };
  const link: AgentParts['link'] = {
    start() {},
    async stop() {},
    status: () => status,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    redial() {},
    wake() {},
    fetch: () => Promise.reject(new Error('this link has no parts')),
    nacks: () => ({ retry: 0, 'need-schema': 0, reject: 0, 'too-large': 0, forbidden: 0 }),
    coordinatorNowMs: () => (status.state === 'live' ? Date.now() : undefined),
    turn(state) {
      status = { state, sinceMs: 0 };
      for (const listener of listeners) listener(status);
    },
  };
  return {
    dir,
    database,
    log,
    link,
    clock: systemClock,
    logger: createLog({ name: 'agent', level: 'silent' }),
    events: <Event>(lane: Lane, type: string) =>
      log
        .read(lane, 0, 10_000, 1 << 30)
        .rows.filter((row) => row.type === type)
        .map((row) => parseJsonRow(row) as Event),
    async [Symbol.asyncDispose]() {
      if (database.isOpen) database.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
