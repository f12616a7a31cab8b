/** `returners:` of coordinator.yaml: where results of jobs go, by name. */
import { resolve } from 'node:path';
import { boolean, check, integer, mapOf, record, text, type Field } from './field.ts';
import { argv, milliseconds, path } from './rule.ts';

export interface ReturnerConfig {
  /** NDJSON, one result a line. Absolute once loaded. */
  file?: string;
  /** A program and its arguments; the result on its stdin. */
  command?: string[];
  /** Each result is posted there. */
  url?: string;
  /** Of `url`: the key that results are signed with; a file that only its owner may read. Absolute once loaded. */
  secretFile?: string;
  /** Of `url`: what its certificate must chain to. Absolute once loaded. */
  caFile?: string;
  /** Of a delivery. */
  timeoutMs: number;
  /** Of `file`: it is set aside before it grows beyond this, and so many that were set aside stay. */
  maxBytes: number;
  keep: number;
  /** Of every job; otherwise of those that ask for it. */
  always: boolean;
}

export type ReturnersConfig = Record<string, ReturnerConfig>;

const defaults = {
  timeoutMs: 10_000,
  maxBytes: 100 * 1024 * 1024,
  keep: 5,
  always: false,
} satisfies Partial<ReturnerConfig>;

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const url: Field<string> = check(text({ maxLength: 2_048 }), (value, key) => {
  const target = URL.canParse(value) ? new URL(value) : undefined;
  const isFit =
    target !== undefined &&
    target.username === '' &&
    (target.protocol === 'https:' || (target.protocol === 'http:' && loopbackHost.test(target.hostname)));
  const expected = 'https://…, or http:// to this machine alone (127.0.0.1, [::1], localhost)';
  return isFit ? undefined : { message: `${key} is not valid`, seen: JSON.stringify(value.slice(0, 80)), expected };
});

const returner: Field<ReturnerConfig> = check(
  record<ReturnerConfig>(
    {
      file: path,
      command: argv,
      url,
      secretFile: path,
      caFile: path,
      timeoutMs: milliseconds(100, 600_000),
      maxBytes: integer({ min: 65_536, max: 1_099_511_627_776, unit: 'bytes' }),
      keep: integer({ min: 0, max: 1_000 }),
      always: boolean(),
    },
    defaults,
    ['file', 'command', 'url', 'secretFile', 'caFile'],
  ),
  ({ file, command, url: given, secretFile, caFile }, key) => {
    const ways = [file, command, given].filter((way) => way !== undefined).length;
    if (ways !== 1) {
      const seen = ways === 0 ? 'none of them' : 'more than one';
      return { message: `${key} needs a file, a command or a url`, seen, expected: 'exactly one of them' };
    }
    if (given !== undefined && secretFile === undefined) {
      const expected = 'a file with the key that results are signed with';
      return { message: `${key}.secretFile is missing`, seen: 'a url without it', expected };
    }
    if (given === undefined && (secretFile !== undefined || caFile !== undefined)) {
      return { message: `${key}.secretFile and caFile are for a url`, seen: 'no url', expected: 'a url' };
    }
    return undefined;
  },
);

const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;

export const returnersField: Field<ReturnersConfig> = mapOf(
  { pattern: namePattern, expected: 'a name of small letters, digits and -', maxLength: 32 },
  returner,
  { max: 32 },
);

/** Paths are relative to the file that says them. */
export function placeReturners(returners: ReturnersConfig, directory: string): ReturnersConfig {
  const placed = ({ file, secretFile, caFile, ...rest }: ReturnerConfig): ReturnerConfig => ({
    ...rest,
    ...(file === undefined ? {} : { file: resolve(directory, file) }),
    ...(secretFile === undefined ? {} : { secretFile: resolve(directory, secretFile) }),
    ...(caFile === undefined ? {} : { caFile: resolve(directory, caFile) }),
  });
  return Object.fromEntries(Object.entries(returners).map(([name, one]) => [name, placed(one)]));
}
