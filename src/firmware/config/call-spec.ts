import { parseCInteger } from './expression.ts';
import type { Call, Section } from './section.ts';
import { configError, fromByteString, type ByteString } from './source-text.ts';

/** What an argument has to be. References name a section that stands before the call. */
type Parameter = 'block' | 'count' | 'byte' | 'slot' | 'text' | 'mbr' | 'gpt' | 'uboot-environment' | 'attributes';

export interface CallSpec {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** What fwup says that the call requires when the number of its arguments is wrong. */
  readonly needs: string;
  /** How many of the last parameters may be left out. */
  readonly optional?: number;
  /** Any number of further arguments. */
  readonly variadic?: boolean;
  /** Only where there is a resource to read. */
  readonly resourceOnly?: boolean;
}

/** fwup's own limit. */
const maxArguments = 9;

function spec(
  name: string,
  parameters: readonly Parameter[],
  needs: string,
  extra: Partial<CallSpec> = {},
): [string, CallSpec] {
  return [name, { name, parameters, needs, ...extra }];
}

export const actionSpecs: ReadonlyMap<ByteString, CallSpec> = new Map([
  spec('raw_write', ['block'], 'a block offset', { variadic: true, resourceOnly: true }),
  spec('raw_memset', ['block', 'count', 'byte'], 'a block offset, count, and value'),
  spec('mbr_write', ['mbr'], 'an mbr'),
  spec('gpt_write', ['gpt'], 'a gpt'),
  spec('trim', ['block', 'count'], 'a block offset and count'),
  spec('uboot_clearenv', ['uboot-environment'], 'a uboot-environment reference'),
  spec('uboot_recover', ['uboot-environment'], 'a uboot-environment reference'),
  spec('uboot_setenv', ['uboot-environment', 'text', 'text'], 'a uboot-environment reference, variable name and value'),
  spec('uboot_unsetenv', ['uboot-environment', 'text'], 'a uboot-environment reference and a variable name'),
  spec('error', ['text'], 'a message parameter'),
  spec('info', ['text'], 'a message parameter'),
  spec('fat_mkfs', ['block', 'block'], 'a block offset and block count'),
  spec('fat_write', ['block', 'text'], 'a block offset and optional destination filename', {
    optional: 1,
    resourceOnly: true,
  }),
  spec('fat_attrib', ['block', 'text', 'attributes'], 'a block offset, filename, and attributes (SHR)'),
  spec('fat_cp', ['block', 'text', 'text', 'text'], 'either 3 or 4 arguments', { optional: 1 }),
  spec('fat_mv', ['block', 'text', 'text'], 'a block offset, old filename, new filename'),
  spec('fat_mv!', ['block', 'text', 'text'], 'a block offset, old filename, new filename'),
  spec('fat_rm', ['block', 'text'], 'a block offset and filename'),
  spec('fat_rm!', ['block', 'text'], 'a block offset and filename'),
  spec('fat_mkdir', ['block', 'text'], 'a block offset and directory name'),
  spec('fat_setlabel', ['block', 'text'], 'a block offset and name'),
  spec('fat_touch', ['block', 'text'], 'a block offset and filename'),
  spec('path_write', ['text'], 'a file path', { resourceOnly: true }),
  spec('pipe_write', ['text'], 'a command to execute', { resourceOnly: true }),
  spec('ubi_volume_write', ['text'], 'a UBI volume path (e.g. /dev/ubi0_3)', { resourceOnly: true }),
  spec('execute', ['text'], 'a command to execute'),
  spec('reboot_param', ['text'], 'a single string parameter'),
]);

export const requirementSpecs: ReadonlyMap<ByteString, CallSpec> = new Map([
  spec('require-partition-offset', ['slot', 'block'], 'a partition number and a block offset'),
  spec(
    'require-uboot-variable',
    ['uboot-environment', 'text', 'text'],
    'a uboot-environment reference, variable name, and value',
  ),
  spec('require-fat-file-exists', ['block', 'text'], 'a FAT FS block offset and a filename'),
  spec('require-fat-file-match', ['block', 'text', 'text'], 'a FAT FS block offset, a filename, and a pattern'),
  spec('require-path-on-device', ['text', 'text'], 'a path and a device'),
  spec('require-path-at-offset', ['text', 'block'], 'a path and a block offset'),
  spec('require-execute', ['text'], 'a command'),
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
    throw configError(call.place, `too many arguments passed to '${name}'`, {
      expected,
      fwup: `Too many arguments passed to '${name}'`,
    });
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
      fwup: `${name} requires ${callSpec.needs}`,
    });
  }
  parameters.forEach((parameter, index) => {
    const argument = call.args[index];
    if (argument !== undefined) checkArgument(parameter, argument, call, root);
  });
  // The one call whose arguments mean something else by their number: FROM, TO or FROM, TO's file system, TO.
  if (name === 'fat_cp' && call.args.length === 4) checkArgument('block', call.args[2]!, call, root);
}

function checkArgument(parameter: Parameter, argument: ByteString, call: Call, root: Section): void {
  const name = fromByteString(call.name);
  const wrong = (expected: string, fwup: string): Error =>
    configError(call.place, `${name}: wrong argument '${fromByteString(argument)}'`, { expected, fwup });
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
            fwup:
              parameter === 'uboot-environment'
                ? `${name} can't find uboot-environment reference ${fromByteString(argument)}`
                : `${name} can't find ${parameter} reference`,
          },
        );
      }
      return;
    case 'attributes':
      if (!/^[shr]*$/i.test(argument)) {
        throw wrong('letters of S, H and R', 'fat_attrib only supports R, H, and S attributes');
      }
      return;
    default: {
      const value = parseBlockNumber(argument);
      const slotWords = `${name} requires the partition number to be 0-3`;
      if (value === undefined) {
        const words = `${name} requires a non-negative integer block offset`;
        throw wrong(`a whole number for ${described[parameter]}`, parameter === 'slot' ? slotWords : words);
      }
      if (parameter === 'count' && value < 1) {
        throw wrong('a count of at least 1', `${name} requires a positive integer block count`);
      }
      if (parameter === 'byte' && value > 255) {
        throw wrong('a value from 0 to 255', `${name} requires value to be between 0 and 255`);
      }
      if (parameter === 'slot' && value > 3) throw wrong('a partition number from 0 to 3', slotWords);
    }
  }
}

/** Blocks, counts and the like: a C number whose byte offset is still exact in a double. */
export function parseBlockNumber(text: ByteString): number | undefined {
  const value = parseCInteger(text);
  return value === undefined || value > maxBlockNumber ? undefined : Number(value);
}

const maxBlockNumber = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / 512)) >> 1n;
