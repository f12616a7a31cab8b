import type { DeadLetter, DeadLetterOutcome } from '../../client/contract/index.ts';
import { formatAge, formatTime, plural } from '../human.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

export function formatDeadLetters(letters: readonly DeadLetter[], nowMs: number, option: TableOption = {}): string {
  if (letters.length === 0) return 'no dead letters\n';
  const table = formatTable(
    letters,
    [
      { title: 'ID', value: ({ id }) => id, align: 'right' },
      { title: 'LAYER', value: ({ layer, consumer }) => (consumer === undefined ? layer : `${layer} ${consumer}`) },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'DEVICE', value: ({ deviceId }) => deviceId || 'coordinator' },
      { title: 'TYPE', value: ({ type }) => type || undefined },
      { title: 'TRIES', value: ({ attempts }) => attempts, align: 'right' },
      { title: 'LAST', value: ({ lastAtMs }) => formatAge(lastAtMs, nowMs) },
      { title: 'REASON', value: ({ reason }) => reason, shrink: true },
    ],
    option,
  );
  const waiting = letters.filter(({ state }) => state === 'new').length;
  return `${table}${plural(letters.length, 'dead letter')}, ${waiting} to be decided on\n`;
}

export function formatDeadLetter(letter: DeadLetter, nowMs: number): string {
  const fields = formatFields({
    id: letter.id,
    layer: letter.layer,
    state: letter.note === undefined ? letter.state : `${letter.state}: ${letter.note}`,
    device: letter.deviceId || 'coordinator',
    type: letter.type || undefined,
    key: letter.key || undefined,
    place: letter.instanceId === '' ? undefined : `${letter.instanceId}, lane ${letter.lane}, seq ${letter.seq}`,
    offset: letter.offset,
    handler: letter.consumer,
    'handler version': letter.version,
    reason: `${letter.reason} (${letter.code})`,
    attempts: letter.attempts,
    first: `${formatTime(letter.firstAtMs)} (${formatAge(letter.firstAtMs, nowMs)})`,
    last: `${formatTime(letter.lastAtMs)} (${formatAge(letter.lastAtMs, nowMs)})`,
  });
  const stderr = letter.stderr === undefined ? '' : `\nstderr:\n${indent(letter.stderr)}`;
  return `${fields}${stderr}\npayload:\n${indent(JSON.stringify(letter.payload, undefined, 2) ?? 'none')}`;
}

const indent = (text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${printable(line)}\n`)
    .join('');

export function formatOutcome(done: string, outcome: DeadLetterOutcome): string {
  const lines = [];
  if (outcome.done.length > 0) {
    lines.push(`${done} ${plural(outcome.done.length, 'dead letter')}: ${outcome.done.map(({ id }) => id).join(', ')}`);
  }
  for (const { id, message } of outcome.failed) lines.push(`not ${id}: ${printable(message)}`);
  return `${lines.join('\n')}\n`;
}
