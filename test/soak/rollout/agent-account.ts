/** What a device did, by its agent's own log file and database: nothing of it comes from the coordinator. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createUpdateTable } from '../../../src/agent/state/update-table.ts';
import { fileName } from './device-folder.ts';

export interface AgentAccount {
  /** Of its record of the update; `untouched`: no offer came. */
  state: string;
  reason?: string;
  downloadedBytes: number;
  /** Starts of the agent: one for each boot. */
  starts: number;
  /** When it took its first step. */
  beganAtMs?: number;
}

interface LogLine {
  msg?: string;
  time: number | string;
  rollout?: string;
}

export async function accountOf(dir: string, rolloutId: string): Promise<AgentAccount> {
  const log = join(dir, fileName.log);
  // It was never switched on.
  if (!existsSync(log)) return { state: 'untouched', starts: 0, downloadedBytes: 0 };
  const database = new DatabaseSync(join(dir, 'state', 'agent.db'), { readOnly: true, timeout: 5_000 });
  const record = createUpdateTable(database).find(rolloutId);
  const account: AgentAccount = {
    state: record?.state ?? 'untouched',
    ...(record?.reason === undefined ? {} : { reason: record.reason.code }),
    downloadedBytes: record?.downloadedBytes ?? 0,
    starts: 0,
  };
  database.close();
  const text = await readFile(log, 'utf8');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const { msg, rollout, time } = JSON.parse(line) as LogLine;
    if (msg === 'agent started') account.starts += 1;
    if (msg === 'update' && rollout === rolloutId) account.beganAtMs ??= new Date(time).getTime();
  }
  return account;
}
