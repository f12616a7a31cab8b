import type { EventSchemaDocument, RegisteredSchemas, SchemaList } from '../../client/contract/index.ts';
import type { SchemaReport } from '../check-schema-files.ts';
import { formatAge, formatTime, plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

export function formatSchemas({ schemas, parked }: SchemaList, nowMs: number, option: TableOption = {}): string {
  const known =
    schemas.length === 0
      ? 'no schemas\n'
      : formatTable(
          schemas,
          [
            { title: 'TYPE', value: ({ type }) => type },
            { title: 'VERSION', value: ({ version }) => version, align: 'right' },
            { title: 'STATE', value: ({ state }) => state, style: ({ state }) => styleOfState(state) },
            { title: 'FINGERPRINT', value: ({ fingerprint }) => fingerprint },
            { title: 'SOURCE', value: ({ source }) => source, shrink: true },
            { title: 'SINCE', value: (row) => formatAge(row.reviewedAtMs ?? row.createdAtMs, nowMs) },
          ],
          option,
        );
  if (parked.length === 0) return known;
  const waiting = formatTable(
    parked,
    [
      { title: 'PARKED', value: ({ fingerprint }) => fingerprint || 'others' },
      { title: 'EVENTS', value: ({ events }) => events, align: 'right' },
      { title: 'FIRST FROM', value: ({ deviceId }) => deviceId, shrink: true },
      { title: 'LAST', value: ({ lastAtMs }) => formatAge(lastAtMs, nowMs) },
      { title: 'ASKED', value: ({ asked }) => Object.keys(asked).join(', ') || undefined, shrink: true },
    ],
    option,
  );
  return `${known}\n${waiting}`;
}

export function formatSchema(schema: EventSchemaDocument): string {
  const fields = formatFields({
    type: schema.type,
    version: schema.version,
    state: schema.state,
    fingerprint: schema.fingerprint,
    sha256: schema.sha256,
    source: schema.source,
    since: formatTime(schema.reviewedAtMs ?? schema.createdAtMs),
  });
  return `${fields}\n${printable(schema.text.trimEnd(), { keepNewlines: true })}\n`;
}

export function formatRegistered({ schemas }: RegisteredSchemas): string {
  return schemas
    .map(({ outcome, type, version, fingerprint }) => `${outcome}: ${type} version ${version} (${fingerprint})\n`)
    .join('');
}

/** Each fault with its field, the two versions, the reason and what to do. */
export function formatSchemaReport(report: SchemaReport, option: TableOption = {}): string {
  const color = option.color ?? false;
  const lines = (found: SchemaReport['warnings'], word: string): string[] =>
    found.flatMap(({ type, field, older, newer, reason, suggestion }) => [
      `${paint(styleOfState(word), word, color)}  ${printable(type)}${field === '' ? '' : `, field ${printable(field)}`}: ${printable(reason)}`,
      older === newer ? `      in:   ${printable(newer)}` : `      of:   ${printable(older)}, and ${printable(newer)}`,
      `      try:  ${printable(suggestion)}`,
    ]);
  const against = report.against === 'files' ? 'each other' : 'each other and all that are registered';
  const end = `${plural(report.checked.length, 'schema')} compared with ${against}: ${report.ok ? '' : 'not '}compatible`;
  return `${[...lines(report.incompatibilities, 'bad'), ...lines(report.warnings, 'warn'), end].join('\n')}\n`;
}
