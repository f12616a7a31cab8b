import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { FlotillaError } from '../error.ts';

/** The real fwup on PATH, or undefined. */
export async function findFwup(path: string = process.env['PATH'] ?? ''): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((part) => part !== '')) {
    const candidate = join(folder, 'fwup');
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  return undefined;
}

export async function requireFwup(): Promise<string> {
  const found = await findFwup();
  if (found) return found;
  throw new FlotillaError('usage', 'fwup-not-found', 'fwup is not on PATH', {
    suggestion: 'install fwup (https://github.com/fwup-home/fwup), or use --engine builtin',
  });
}

export interface FwupRun {
  cwd?: string;
  env?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal | undefined;
  /** Each line of stdout as it comes. */
  onLine?: (line: string) => void;
}

/** Runs fwup; a non-zero exit is an error with fwup's own words. */
export async function runFwup(program: string, argv: readonly string[], run: FwupRun = {}): Promise<void> {
  const { cwd, env, signal, onLine } = run;
  const child = execa(program, argv, {
    reject: false,
    stdin: 'ignore',
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    maxBuffer: 1024 * 1024,
  });
  if (onLine) for await (const line of child) onLine(line);
  const { exitCode, stdout, stderr } = await child;
  if (exitCode === 0) return;
  const said = `${stderr}\n${stdout}`
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\d+$/.test(line));
  throw fwupError(said.map((line) => line.replace(/^fwup: /, '')));
}

/** fwup says `FILE:LINE: text` on stderr for a configuration that it cannot read. */
function fwupError(said: readonly string[]): FlotillaError {
  const place = /^(?<file>.+):(?<line>\d+): (?<text>.+)$/.exec(said[0] ?? '')?.groups;
  if (place) {
    return new FlotillaError('usage', 'firmware-config', place['text']!, {
      position: { file: place['file']!, line: Number(place['line']), column: 1 },
    });
  }
  return new FlotillaError('failed', 'fwup-failed', said.at(-1) ?? 'fwup failed without a word');
}
