import type { AgentsUpdated } from '../../client/contract/index.ts';
import { printable } from '../printable.ts';

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
