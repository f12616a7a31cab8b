import { parseCInteger } from './expression.ts';
import type { Call, Section } from './section.ts';
import { configError, fromByteString, unsupportedError, type ByteString } from './source-text.ts';

/** What an argument has to be. References name a section that stands before the call. */
type Parameter = 'block' | 'count' | 'byte' | 'slot' | 'text' | 'mbr' | 'gpt' | 'uboot-environment' | 'attributes';

export interface CallSpec {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** How many of the last parameters may be left out. */
  readonly optional?: number;
  /** Any number of further arguments. */
  readonly variadic?: boolean;
  /** Only where there is a resource to read. */
  readonly resourceOnly?: boolean;
  /** Whether the builtin engine can run it. */
  readonly supported: boolean;
}

/** fwup's own limit. */
const maxArguments = 9;

function spec(name: string, parameters: readonly Parameter[], extra: Partial<CallSpec> = {}): [string, CallSpec] {
  return [name, { name, parameters, supported: true, ...extra }];
}
const foreign = { supported: false } as const;

export const actionSpecs: ReadonlyMap<ByteString, CallSpec> = new Map([
  spec('raw_write', ['block'], { variadic: true, resourceOnly: true }),
  spec('raw_memset', ['block', 'count', 'byte']),
  spec('mbr_write', ['mbr']),
  spec('trim', ['block', 'count']),
  spec('uboot_clearenv', ['uboot-environment']),
  spec('uboot_recover', ['uboot-environment']),
  spec('uboot_setenv', ['uboot-environment', 'text', 'text']),
  spec('uboot_unsetenv', ['uboot-environment', 'text']),
  spec('error', ['text']),
  spec('info', ['text']),
  spec('gpt_write', ['gpt'], foreign),
  spec('fat_mkfs', ['block', 'count']),
  spec('fat_write', ['block', 'text'], { optional: 1, resourceOnly: true }),
  spec('fat_attrib', ['block', 'text', 'attributes']),
  spec('fat_cp', ['block', 'text', 'text', 'text'], { optional: 1 }),
  spec('fat_mv', ['block', 'text', 'text']),
  spec('fat_mv!', ['block', 'text', 'text']),
  spec('fat_rm', ['block', 'text']),
  spec('fat_rm!', ['block', 'text']),
  spec('fat_mkdir', ['block', 'text']),
  spec('fat_setlabel', ['block', 'text']),
  spec('fat_touch', ['block', 'text']),
  spec('path_write', ['text'], { ...foreign, resourceOnly: true }),
  spec('pipe_write', ['text'], { ...foreign, resourceOnly: true }),
  spec('ubi_volume_write', ['text'], { ...foreign, resourceOnly: true }),
  spec('execute', ['text'], foreign),
  spec('reboot_param', ['text'], foreign),
]);

export const requirementSpecs: ReadonlyMap<ByteString, CallSpec> = new Map([
  spec('require-partition-offset', ['slot', 'block']),
  spec('require-uboot-variable', ['uboot-environment', 'text', 'text']),
  spec('require-fat-file-exists', ['block', 'text']),
  spec('require-fat-file-match', ['block', 'text', 'text']),
  spec('require-path-on-device', ['text', 'text'], foreign),
  spec('require-path-at-offset', ['text', 'block'], foreign),
  spec('require-execute', ['text'], foreign),
]);

const described: Record<Parameter, string> = {
  block: 'BLOCK',
  count: 'COUNT',
  byte: 'VALUE',
  slot: 'PARTITION',
  text: 'TEXT',
  mbr: 'MBR',
  gpt: 'GPT',
  'uboot-environment': 'ENVIRONMENT',
  attributes: 'ATTRIBUTES',
};

export function usageOf({ name, parameters, optional = 0, variadic = false }: CallSpec): string {
  const required = parameters.slice(0, parameters.length - optional).map((kind) => described[kind]);
  const others = parameters.slice(parameters.length - optional).map((kind) => `[${described[kind]}]`);
  return `${name}(${[...required, ...others, ...(variadic ? ['OPTION…'] : [])].join(', ')})`;
}

/** Throws unless the call is one that `spec` describes. `inResource`: inside on-resource. */
export function checkCall(callSpec: CallSpec, call: Call, root: Section, inResource: boolean): void {
  const { name, parameters, optional = 0, variadic = false, resourceOnly = false } = callSpec;
  const expected = usageOf(callSpec);
  if (call.args.length > maxArguments) {
    throw configError(call.place, `too many arguments passed to '${name}'`, { expected });
  }
  if (resourceOnly && !inResource) {
    throw configError(call.place, `${name} only usable in on-resource`, {
      suggestion: `move it into an on-resource section`,
    });
  }
  const missing = parameters.length - optional > call.args.length;
  if (missing || (!variadic && call.args.length > parameters.length)) {
    throw configError(call.place, `wrong number of arguments for ${name}`, {
      seen: `${call.args.length} argument${call.args.length === 1 ? '' : 's'}`,
      expected,
    });
  }
  parameters.forEach((parameter, index) => {
    const argument = call.args[index];
    if (argument !== undefined) checkArgument(parameter, argument, call, root);
  });
  // The one call whose arguments mean something else by their number: FROM, TO or FROM, TO's file system, TO.
  if (name === 'fat_cp' && call.args.length === 4) checkArgument('block', call.args[2]!, call, root);
}

export function checkSupported(callSpec: CallSpec, call: Call): void {
  if (!callSpec.supported) throw unsupportedError(call.place, fromByteString(call.name));
  if (callSpec.name === 'raw_write' && call.args.length > 1) {
    throw unsupportedError(call.place, 'raw_write with cipher options');
  }
}

function checkArgument(parameter: Parameter, argument: ByteString, call: Call, root: Section): void {
  const wrong = (expected: string): Error =>
    configError(call.place, `${fromByteString(call.name)}: wrong argument '${fromByteString(argument)}'`, { expected });
  switch (parameter) {
    case 'text':
      return;
    case 'mbr':
    case 'gpt':
    case 'uboot-environment':
      if (!root.find(parameter, argument)) {
        throw configError(
          call.place,
          `${fromByteString(call.name)} can't find ${parameter} '${fromByteString(argument)}'`,
          {
            expected: `a section ${parameter} ${fromByteString(argument)} { … } before the task`,
          },
        );
      }
      return;
    case 'attributes':
      if (!/^[shr]*$/i.test(argument)) throw wrong('letters of S, H and R');
      return;
    default: {
      const value = parseBlockNumber(argument);
      if (value === undefined) throw wrong(`a whole number for ${described[parameter]}`);
      if (parameter === 'count' && value < 1) throw wrong('a count of at least 1');
      if (parameter === 'byte' && value > 255) throw wrong('a value from 0 to 255');
      if (parameter === 'slot' && value > 3) throw wrong('a partition number from 0 to 3');
    }
  }
}

/** Blocks, counts and the like: a C number whose byte offset is still exact in a double. */
export function parseBlockNumber(text: ByteString): number | undefined {
  const value = parseCInteger(text);
  return value === undefined || value > maxBlockNumber ? undefined : Number(value);
}

const maxBlockNumber = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / 512)) >> 1n;
