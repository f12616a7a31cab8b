import { selectorLimit } from './limit.ts';

export type FactRecord = Record<string, unknown>;

export function isRecord(value: unknown): value is FactRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A fact as the text that patterns see. As in Salt: `true`, `false`, `none` (case is ignored later), numbers as
 * written in JSON, and a list or map inside a list as Python prints it.
 */
export function textOfFact(value: unknown): string {
  return typeof value === 'string' ? value : pythonText(value, selectorLimit.maxFactDepth);
}

function pythonText(value: unknown, depthLeft: number): string {
  switch (typeof value) {
    case 'string':
      return pythonString(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'number':
    case 'bigint':
      return String(value);
    case 'object':
      break;
    default:
      return 'None';
  }
  if (value === null) return 'None';
  if (depthLeft === 0) return '...';
  if (Array.isArray(value)) return `[${value.map((member: unknown) => pythonText(member, depthLeft - 1)).join(', ')}]`;
  const entries = Object.entries(value).map(
    ([key, member]: [string, unknown]) => `${pythonString(key)}: ${pythonText(member, depthLeft - 1)}`,
  );
  return `{${entries.join(', ')}}`;
}

/** Python's repr: single quotes, unless the text has some and no double ones. */
function pythonString(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll(mark, `\\${mark}`)
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `${mark}${escaped}${mark}`;
}
