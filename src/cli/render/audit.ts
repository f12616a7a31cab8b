import type { AuditEntry, AuditVerification } from '../../client/contract/index.ts';
import { formatTime, plural } from '../human.ts';
import { paint, type Style } from '../paint.ts';
import { printable, truncate } from '../printable.ts';
import { formatFields, type TableOption } from '../table.ts';

const styles: Record<AuditEntry['result'], Style> = { ok: 'green', refused: 'yellow', forbidden: 'red', failed: 'red' };

/** One line a row: number, time, who, from where, what, on what, on how many devices, how it ended, and the rest. */
export function formatAuditEntry(entry: AuditEntry, option: TableOption = {}): string {
  const { seq, atMs, actor, role, from, action, subject, devices, result, code } = entry;
  const color = option.color ?? false;
  const who = [
    actor,
    role === '' || role === 'system' ? '' : `(${role})`,
    from === '' || from === 'coordinator' ? '' : `from ${from}`,
  ];
  const parts = [
    String(seq),
    formatTime(atMs),
    printable(who.filter((part) => part !== '').join(' ')),
    paint('cyan', printable(action), color),
    printable(subject) || '-',
    devices.count === 0 || (devices.count === 1 && devices.ids[0] === subject)
      ? ''
      : devices.count === 1
        ? printable(devices.ids[0] ?? '1 device')
        : plural(devices.count, 'device'),
    paint(styles[result], code === '' ? result : `${result} ${printable(code)}`, color),
  ].filter((part) => part !== '');
  const head = parts.join('  ');
  const room = option.width === undefined ? Infinity : Math.max(10, option.width - head.length - 2);
  const detail = printable(JSON.stringify(entry.detail) ?? '');
  return `${head}${detail === '{}' || detail === 'null' ? '' : `  ${truncate(detail, room)}`}\n`;
}

/** Everything of one row. */
export function formatAuditRow(entry: AuditEntry): string {
  const { devices } = entry;
  const rest = devices.count - devices.ids.length;
  const list = devices.count === 0 ? undefined : `${devices.ids.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
  const fields = formatFields({
    row: entry.seq,
    time: new Date(entry.atMs).toISOString(),
    actor: entry.actor,
    role: entry.role || undefined,
    from: entry.from || undefined,
    action: entry.action,
    subject: entry.subject || undefined,
    devices: list,
    'sha256 of all ids': devices.sha256,
    result: entry.code === '' ? entry.result : `${entry.result} (${entry.code})`,
    hash: entry.hash,
    'hash before': entry.prev,
  });
  const detail = JSON.stringify(entry.detail, undefined, 2)
    .split('\n')
    .map((line) => `  ${printable(line)}\n`)
    .join('');
  return `${fields}detail:\n${detail}`;
}

export function formatVerification(found: AuditVerification): string {
  const { ok, source, from, rows, head, problems, problemCount, notes } = found;
  const span = rows === 0 ? 'no rows' : `rows ${from} to ${from + rows - 1}`;
  const lines = ok
    ? [`whole: ${span} of ${source}`, `head:  ${head}`]
    : problems.map(({ kind, message }) => `${kind}: ${printable(message)}`);
  if (!ok && problemCount > problems.length) lines.push(`… and ${problemCount - problems.length} more`);
  if (!ok) lines.push(`${plural(problemCount, 'problem')} in ${plural(rows, 'row')} of ${source}; head ${head}`);
  return `${[...lines, ...notes.map((note) => `note:  ${printable(note)}`)].join('\n')}\n`;
}
