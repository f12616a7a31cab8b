/** Reads one YAML file of at most 1 MiB through a field, or throws a ConfigError with every problem in it. */
import { readFile, stat } from 'node:fs/promises';
import { LineCounter, type Node, parseDocument } from 'yaml';
import { FlotillaError, systemErrorCode } from '../error.ts';
import type { Field, Reading } from './field.ts';
import { report } from './field.ts';
import { ConfigError } from './problem.ts';

const maxConfigBytes = 1024 * 1024;

export async function readConfigFile<T>(file: string, field: Field<T>, hint: string): Promise<T> {
  return parseConfig(await readText(file, hint), file, field);
}

/** The same for a text in memory; `file` names it in errors. */
export function parseConfig<T>(source: string, file: string, field: Field<T>): T {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const reading: Reading = { document, lines, problems: [] };
  for (const problem of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(problem.pos[0]);
    const message = `not valid YAML: ${problem.message}`;
    reading.problems.push({ key: '', line: Math.max(1, line), column: Math.max(1, col), message });
  }
  if (reading.problems.length > 0) throw new ConfigError(file, source, reading.problems);
  const contents = document.contents as Node | null;
  const value = contents === null ? undefined : field(contents, '', reading);
  if (contents === null)
    report(reading, null, '', { message: 'the file is empty', expected: 'keys and values, as YAML' });
  if (value === undefined || reading.problems.length > 0) throw new ConfigError(file, source, reading.problems);
  return value;
}

async function readText(file: string, hint: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxConfigBytes) {
      throw new FlotillaError('usage', 'config-too-large', `${file} is too large for a configuration`, {
        seen: `${size} bytes`,
        expected: `at most ${maxConfigBytes} bytes`,
      });
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    const code = systemErrorCode(error);
    throw new FlotillaError('usage', 'config-unreadable', `${file} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      suggestion: hint,
      cause: error,
    });
  }
}
