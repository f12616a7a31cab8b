import type { ConfigDifference, ConfigSetResult, ConfigSummary, ConfigView } from '../../client/contract/index.ts';
import { formatTime, plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatTable, type TableOption } from '../table.ts';

/** "limits: applied, version 3, revision 7"; why it waits or was rejected. */
export function formatConfigState({ name, state, version, revision, reason }: ConfigSummary): string {
  const parts = [
    state,
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(revision === undefined ? [] : [`revision ${revision} on the device`]),
  ];
  return `${name}: ${parts.join(', ')}${reason === undefined ? '' : ` (${reason})`}`;
}

export function formatConfigs(configs: readonly ConfigView[]): string {
  if (configs.length === 0) return 'no documents\n';
  return configs.map((config) => `${printable(formatConfigState(config))}\n`).join('');
}

/** State on the first lines, then the document: what the device has, else what is wanted. */
export function formatConfig(config: ConfigView): string {
  const { desired, reported, differences } = config;
  const lines = [formatConfigState(config)];
  if (desired !== undefined) lines.push(`set ${formatTime(desired.setAtMs)} by ${desired.setBy}`);
  if (reported !== undefined) lines.push(`reported ${formatTime(reported.atMs)}`);
  if (differences.length > 0) lines.push(`desired and reported differ in ${plural(differences.length, 'place')}`);
  const document = JSON.stringify((reported ?? desired)?.document, null, 2);
  return `${lines.map((line) => printable(line)).join('\n')}\n\n${printable(document, { keepNewlines: true })}\n`;
}

/** Base, desired and reported side by side, a line for each place. */
export function formatConfigDiff(config: ConfigView, option: TableOption = {}): string {
  const head = `${printable(formatConfigState(config))}\n`;
  if (config.differences.length === 0) return `${head}no differences\n`;
  const value = (side: 'base' | 'desired' | 'reported') => (row: ConfigDifference) =>
    side in row ? JSON.stringify(row[side]) : undefined;
  const table = formatTable(
    config.differences,
    [
      { title: 'PATH', value: ({ path }) => path || '(all)' },
      { title: 'BASE', value: value('base'), shrink: true },
      { title: 'DESIRED', value: value('desired'), shrink: true },
      { title: 'REPORTED', value: value('reported'), shrink: true },
      {
        title: '',
        value: ({ conflict }) => (conflict ? 'conflict' : 'differs'),
        style: ({ conflict }) => (conflict ? 'red' : 'dim'),
      },
    ],
    option,
  );
  const { deviceId, name } = config;
  const hint = `flotilla device config resolve ${deviceId} ${name} --take desired|reported|FILE`;
  return `${head}${table}${config.state === 'conflict' ? `nothing is sent until: ${hint}\n` : ''}`;
}

export function formatConfigSet(results: readonly ConfigSetResult[], option: TableOption = {}): string {
  const color = option.color ?? false;
  const lines = results.map(({ deviceId, state, version, kept, conflicts, reason }) => {
    const notes = [
      ...(reason === undefined ? [] : [reason]),
      ...(kept.length === 0 ? [] : [`kept the device's own ${kept.join(', ')}`]),
      ...(conflicts.length === 0 ? [] : [`changed on both sides: ${conflicts.join(', ')}`]),
    ];
    const note = notes.length === 0 ? '' : ` (${printable(notes.join('; '))})`;
    return `${deviceId}: ${paint(styleOfState(state), state, color)}, version ${version}${note}`;
  });
  return `${lines.join('\n')}\n`;
}
