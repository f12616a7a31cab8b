import { nameRollout, type RolloutPlan } from '../../client/contract/index.ts';
import { formatBytes, formatDuration, plural } from '../human.ts';
import { printable } from '../printable.ts';
import { type Column, formatTable, type TableOption } from '../table.ts';

type PlannedPhase = RolloutPlan['phases'][number];

const columns: Column<PlannedPhase>[] = [
  { title: 'PHASE', value: ({ id, name }) => `${id}${name === undefined ? '' : ` ${printable(name)}`}` },
  { title: 'DEVICES', value: ({ devices }) => devices, align: 'right' },
  { title: 'CONNECTED', value: ({ connected }) => connected, align: 'right' },
  { title: 'BYTES', value: ({ bytes }) => formatBytes(bytes) },
  { title: 'TIME', value: ({ estimatedSeconds }) => formatDuration(estimatedSeconds * 1000) },
  { title: 'THEN', value: (phase) => formatGate(phase) },
];

/** What a plan would do: its phases, their cost, and what to look at before it is applied. */
export function formatPlan(plan: RolloutPlan, option: TableOption = {}): string {
  const { policy, release, devices, phases, warnings, leftOut } = plan;
  const saved = plan.wholeBytes - plan.bytes;
  return [
    `${printable(release?.id ?? nameRollout(policy))} to ${plural(devices, 'device')}; ${formatBytes(plan.bytes)} to fetch${saved > 0 ? ` (${formatBytes(plan.wholeBytes)} without deltas)` : ''}, about ${formatDuration(plan.estimatedSeconds * 1000)}`,
    formatTable(phases, columns, option).trimEnd(),
    ...(leftOut.length === 0
      ? []
      : [
          `left out: ${leftOut
            .slice(0, 5)
            .map(({ deviceId, why }) => `${deviceId} (${printable(why)})`)
            .join(', ')}${leftOut.length > 5 ? ` and ${leftOut.length - 5} more` : ''}`,
        ]),
    ...warnings.map((text) => `note: ${printable(text)}`),
    `the time assumes ${plan.assumes}`,
    '',
  ].join('\n');
}

function formatGate({ soakSeconds, gate = {} }: PlannedPhase): string {
  const parts = [
    gate.success === undefined ? undefined : `success >= ${percent(gate.success)}`,
    gate.failure === undefined ? undefined : `failure <= ${percent(gate.failure)}`,
    gate.minSample === undefined ? undefined : `of at least ${gate.minSample}`,
    soakSeconds > 0 ? `soak ${formatDuration(soakSeconds * 1000)}` : undefined,
    gate.connected === undefined ? undefined : `connected >= ${percent(gate.connected)} of the others`,
    gate.lostConnections === undefined ? undefined : `connections lost <= ${gate.lostConnections} times as often`,
    gate.approval === undefined ? undefined : `approval by ${gate.approval}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '-' : parts.join(', ');
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
