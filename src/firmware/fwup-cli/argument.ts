/**
 * fwup's command line, read by the rules of getopt_long: options anywhere, short ones bundled, values attached or
 * separate, long names shortened as far as they stay unique, `--` ends them.
 */
export interface GivenOption {
  readonly kind: 'option';
  readonly name: OptionName;
  /** '' for options that take none. */
  readonly value: string;
}

export interface GivenOperand {
  readonly kind: 'operand';
  readonly value: string;
}

export interface WrongOption {
  readonly kind: 'wrong';
  /** As getopt says it. */
  readonly message: string;
}

export type GivenArgument = GivenOption | GivenOperand | WrongOption;

const withValue = ['d', 'f', 'i', 'o', 'p', 's', 't'] as const;
const withoutValue = ['a', 'c', 'D', 'E', 'F', 'g', 'h', 'l', 'm', 'n', 'q', 'S', 'V', 'v', 'U', 'u', 'y', 'z', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const; // prettier-ignore
const longOnlyWithValue = ['max-size', 'metadata-key', 'private-key', 'progress-high', 'progress-low', 'public-key', 'reboot-param-path', 'sparse-check', 'sparse-check-size'] as const; // prettier-ignore
const longOnlyWithoutValue = ['enable-trim', 'exit-handshake', 'minimize-writes', 'no-eject', 'no-minimize-writes', 'no-verify-writes', 'unsafe', 'verify-writes', 'version'] as const; // prettier-ignore

export type OptionName =
  | (typeof withValue)[number]
  | (typeof withoutValue)[number]
  | (typeof longOnlyWithValue)[number]
  | (typeof longOnlyWithoutValue)[number];

/** Long names of what has a letter too. The blank at the end of one is fwup's: the name works as a prefix of it. */
const longNames: Record<string, OptionName> = {
  apply: 'a',
  create: 'c',
  detect: 'D',
  eject: 'E',
  framing: 'F',
  'gen-keys': 'g',
  help: 'h',
  list: 'l',
  metadata: 'm',
  'private-key-file': 's',
  'public-key-file ': 'p',
  quiet: 'q',
  sign: 'S',
  task: 't',
  unmount: 'u',
  'no-unmount': 'U',
  verbose: 'v',
  verify: 'V',
  ...Object.fromEntries([...longOnlyWithValue, ...longOnlyWithoutValue].map((name) => [name, name])),
};
const takesValue: ReadonlySet<string> = new Set([...withValue, ...longOnlyWithValue]);
const letters: ReadonlySet<string> = new Set([...withValue, ...withoutValue]);

/** Options in their order, then the operands: getopt moves those to the end. */
export function readArguments(argv: readonly string[]): GivenArgument[] {
  const given: GivenArgument[] = [];
  const operands: GivenArgument[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (argument === '--') {
      operands.push(...argv.slice(at + 1).map((value) => ({ kind: 'operand' as const, value })));
      break;
    }
    if (argument === '-' || !argument.startsWith('-')) operands.push({ kind: 'operand', value: argument });
    else {
      const read = argument.startsWith('--') ? readLong(argument, argv[at + 1]) : readShort(argument, argv[at + 1]);
      given.push(...read.given);
      if (read.usedNext) at++;
    }
  }
  return [...given, ...operands];
}

interface Read {
  readonly given: GivenArgument[];
  readonly usedNext: boolean;
}

function readLong(argument: string, next: string | undefined): Read {
  const equals = argument.indexOf('=');
  const name = argument.slice(2, equals < 0 ? undefined : equals);
  const matches = name in longNames ? [name] : Object.keys(longNames).filter((long) => long.startsWith(name));
  if (matches.length !== 1) {
    const problem =
      matches.length === 0
        ? `unrecognized option '--${name}'`
        : `option '--${name}' is ambiguous; possibilities: ${matches.map((match) => `'--${match}'`).join(' ')}`;
    return wrong(problem);
  }
  const found = longNames[matches[0]!]!;
  if (!takesValue.has(found)) {
    return equals < 0 ? option(found) : wrong(`option '--${matches[0]}' doesn't allow an argument`);
  }
  if (equals >= 0) return option(found, argument.slice(equals + 1));
  if (next === undefined) return wrong(`option '--${matches[0]}' requires an argument`);
  return { ...option(found, next), usedNext: true };
}

function readShort(argument: string, next: string | undefined): Read {
  const given: GivenArgument[] = [];
  for (let at = 1; at < argument.length; at++) {
    const letter = argument[at]!;
    if (!letters.has(letter)) {
      given.push({ kind: 'wrong', message: `invalid option -- '${letter}'` });
      continue;
    }
    const name = letter as OptionName;
    if (!takesValue.has(letter)) {
      given.push({ kind: 'option', name, value: '' });
      continue;
    }
    const attached = argument.slice(at + 1);
    if (attached !== '') return { given: [...given, { kind: 'option', name, value: attached }], usedNext: false };
    if (next === undefined) {
      return {
        given: [...given, { kind: 'wrong', message: `option requires an argument -- '${letter}'` }],
        usedNext: false,
      };
    }
    return { given: [...given, { kind: 'option', name, value: next }], usedNext: true };
  }
  return { given, usedNext: false };
}

function option(name: OptionName, value = ''): Read {
  return { given: [{ kind: 'option', name, value }], usedNext: false };
}

function wrong(message: string): Read {
  return { given: [{ kind: 'wrong', message }], usedNext: false };
}
