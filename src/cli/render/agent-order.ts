import type { AgentsUpdated } from '../../client/contract/index.ts';
import { plural } from '../human.ts';
import { printable } from '../printable.ts';
import type { AgentOutcome } from '../wait-agent-update.ts';
import { formatCounts } from './job.ts';

const texts = {
  sent: 'offered',
  waiting: 'offered when it comes',
  current: 'has it',
  busy: 'not offered: another update of its agent is under way',
  reverted: 'not offered: it went back from this very bundle (device allow-bundle)',
  'too-old': 'not offered: its agent has not announced that it takes another',
} as const;

export function formatAgentOrder({ updateId, release, dryRun, devices }: AgentsUpdated): string {
  const lines = devices.map(({ deviceId, state }) => `${deviceId}: ${texts[state]}`);
  const offered = devices.filter(({ state }) => state === 'sent' || state === 'waiting').length;
  const what = dryRun ? 'dry run' : updateId === undefined ? 'nothing sent' : `update ${updateId}`;
  const count = `${offered} of ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}`;
  return `${lines.join('\n')}\n${what}, ${printable(release)}: ${count}\n`;
}

/** How it stands on a device now. */
export function formatAgentOutcome({ deviceId, state, reason }: AgentOutcome): string {
  const why = reason === undefined ? '' : ` (${reason.code}: ${printable(reason.message)})`;
  return `${deviceId}: ${state}${why}\n`;
}

export function formatAgentOutcomes(outcomes: readonly AgentOutcome[]): string {
  const counts: Record<string, number> = {};
  for (const { state } of outcomes) counts[state] = (counts[state] ?? 0) + 1;
  return `${plural(outcomes.length, 'device')}: ${formatCounts(counts)}\n`;
}
