/** job-policy.yaml on a device: its owner says which jobs it takes. */
import { boolean, check, choice, either, integer, list, record, text, type Field } from './field.ts';
import { parseConfig } from './read-config.ts';
import { seconds } from './rule.ts';

/** What a rule can speak of; `ping` and `refresh` need none. */
export const ruledKinds = ['command', 'script', 'put', 'get', 'restart', 'reboot'] as const;
export type RuledKind = (typeof ruledKinds)[number];

/** A program by a glob, with any arguments; or the whole argument vector, a glob each, `**` at its end for any more. */
export type CommandPattern = string | string[];

export interface PolicyRule {
  name: string;
  /** What it speaks of it refuses. */
  refuse: boolean;
  /** Absent: what the limits below are about, or everything when there are none. */
  kinds?: RuledKind[];
  /** Globs over who has asked, as `job show` prints it. */
  operators?: string[];
  commands?: CommandPattern[];
  /** It speaks of shell jobs too. */
  shell: boolean;
  /** SHA-256 of scripts. */
  scripts?: string[];
  services?: string[];
  /** Of files that are put and read; `/**` at the end is everything below. */
  paths?: string[];
}

export interface PolicyFile {
  rules: PolicyRule[];
  limits: { maxOutputBytes?: number; maxConcurrent?: number; timeoutSeconds?: number };
}

const glob = (expected: string) => text({ expected, maxLength: 4_096 });

const rule: Field<PolicyRule> = check(
  record<PolicyRule>(
    {
      name: text({ expected: 'a name that a refusal can give', maxLength: 64 }),
      refuse: boolean(),
      kinds: list(choice(ruledKinds), { min: 1 }),
      operators: list(glob('a glob such as operator:anna or local:*'), { min: 1 }),
      commands: list(
        either<string, string[]>(
          (value) => typeof value === 'string',
          glob('a program'),
          list(glob('a glob'), { min: 1 }),
        ),
        { min: 1 },
      ),
      shell: boolean(),
      scripts: list(text({ pattern: /^[0-9a-f]{64}$/, expected: 'a SHA-256, 64 hex digits' }), { min: 1 }),
      services: list(glob('a glob over services'), { min: 1 }),
      paths: list(text({ pattern: /^\//, expected: 'an absolute path, with * and ? within its parts' }), { min: 1 }),
    },
    { refuse: false, shell: false },
    ['kinds', 'operators', 'commands', 'scripts', 'services', 'paths'],
  ),
  ({ kinds, ...limits }, key) => {
    const idle = (['commands', 'scripts', 'services', 'paths'] as const).find(
      (name) =>
        limits[name] !== undefined && kinds !== undefined && !kindsOf[name].some((kind) => kinds.includes(kind)),
    );
    if (idle === undefined) return undefined;
    return {
      message: `${key}.${idle} is about no kind of this rule`,
      seen: `kinds ${kinds?.join(', ')}`,
      expected: kindsOf[idle].join(' or '),
    };
  },
);

/** Which kinds each limit is about. */
export const kindsOf = {
  commands: ['command'],
  scripts: ['script'],
  services: ['restart'],
  paths: ['put', 'get'],
} as const satisfies Record<string, readonly RuledKind[]>;

const file: Field<PolicyFile> = record<PolicyFile>(
  {
    rules: list(rule, { max: 256 }),
    limits: record<PolicyFile['limits']>(
      {
        maxOutputBytes: integer({ min: 0, max: 16_777_216, unit: 'bytes' }),
        maxConcurrent: integer({ min: 1, max: 256 }),
        timeoutSeconds: seconds(1, 30),
      },
      {},
      ['maxOutputBytes', 'maxConcurrent', 'timeoutSeconds'],
    ),
  },
  { limits: {} },
);

/** @throws ConfigError with every problem of it */
export function parsePolicyFile(source: string, path: string): PolicyFile {
  return parseConfig(source, path, file);
}
