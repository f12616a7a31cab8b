/** What a device did, from its agent's own log file: nothing of it comes from the coordinator. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../../src/error.ts';
import { fileName } from './device-folder.ts';

export interface AgentAccount {
  /** States of the update in the order in which they were entered; empty: no offer came. */
  states: string[];
  /** Of the last state, where it has one. */
  reason?: string;
  /** Starts of the agent: one for each boot. */
  starts: number;
  firstOfferMs?: number;
}

interface LogLine {
  msg?: string;
  time: number | string;
  rollout?: string;
  state?: string;
  reason?: string;
}

export async function accountOf(dir: string, rolloutId: string): Promise<AgentAccount> {
  const account: AgentAccount = { states: [], starts: 0 };
  const text = await readFile(join(dir, fileName.log), 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return ''; // it was never switched on
    throw error;
  });
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const { msg, rollout, state, reason, time } = JSON.parse(line) as LogLine;
    if (msg === 'agent started') account.starts += 1;
    if (msg !== 'update' || rollout !== rolloutId || state === undefined) continue;
    if (account.states.length === 0) account.firstOfferMs = new Date(time).getTime();
    account.states.push(state);
    if (reason !== undefined) account.reason = reason;
  }
  return account;
}
