/** Grains that the product brings: a YAML file that never changes, and executables that print a JSON object each. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { systemErrorCode } from '../../error.ts';
import { listExecutables } from '../machine/list-executable.ts';
import { runBounded } from '../machine/run-bounded.ts';
import type { Grains } from './machine-grain.ts';

/** Grains of one source, and what went wrong there, by the source's name. */
export interface GrainReading {
  grains: Grains;
  errors: Record<string, string>;
}

const maxFileBytes = 262_144;
const maxPrintedBytes = 65_536;

export async function readGrainFile(path: string): Promise<GrainReading> {
  try {
    if ((await stat(path)).size > maxFileBytes) return failure(path, `larger than ${maxFileBytes} bytes`);
    const document: unknown = parse(await readFile(path, 'utf8'), { maxAliasCount: 100 });
    if (document === null) return { grains: {}, errors: {} };
    return isObject(document) ? { grains: document, errors: {} } : failure(path, 'not a mapping of names to values');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { grains: {}, errors: {} };
    return failure(path, error instanceof Error ? error.message : String(error));
  }
}

/** Runs every executable of the folder, in the order of their names; later ones override. One that fails stops no other. */
export async function runGrainExecutables(option: {
  directory: string;
  timeoutMs: number;
  signal?: AbortSignal;
}): Promise<GrainReading> {
  const { directory, timeoutMs, signal } = option;
  const reading: GrainReading = { grains: {}, errors: {} };
  for (const name of await listExecutables(directory)) {
    const result = await runBounded({
      argv: [join(directory, name)],
      timeoutMs,
      maxOutputBytes: maxPrintedBytes,
      ...(signal ? { signal } : {}),
    });
    const { end, exitCode, stdout, stderr, truncatedBytes, message } = result;
    if (end === 'aborted') break;
    if (end === 'timed-out') reading.errors[name] = `no end within ${timeoutMs} ms`;
    else if (end === 'not-started') reading.errors[name] = message ?? 'it could not be started';
    else if (exitCode !== 0)
      reading.errors[name] = `exit ${exitCode ?? result.signal ?? '?'}: ${stderr.trim().slice(-200)}`;
    else if (truncatedBytes > 0) reading.errors[name] = `it printed more than ${maxPrintedBytes} bytes`;
    else {
      const printed = parseObject(stdout);
      if (printed) Object.assign(reading.grains, printed);
      else reading.errors[name] = 'it did not print one JSON object';
    }
  }
  return reading;
}

function parseObject(text: string): Grains | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Grains {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function failure(path: string, message: string): GrainReading {
  return { grains: {}, errors: { [path.split('/').at(-1) ?? path]: message.slice(0, 300) } };
}
