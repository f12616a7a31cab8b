/** The validator of `update.slot`: which boot loader, and how it is spoken to. */
import type {
  FileSlotConfig,
  ScriptSlotConfig,
  SlotConfig,
  SlotVariableConfig,
  UbootSlotConfig,
} from './agent-config.ts';
import { defaultFileSlotConfig, defaultScriptSlotConfig, defaultUbootSlotConfig } from './agent-default.ts';
import { type Field, check, choice, integer, list, record, tagged, text } from './field.ts';
import { argv, path, seconds } from './rule.ts';

/** 2^31 blocks of 512 bytes is 1 TiB: where an MBR ends. */
const maxBlock = 2 ** 31;

/** A name of a U-Boot variable; `=` and NUL delimit entries in the environment. */
const variable: Field<string> = text({
  pattern: /^[^=\0\s]+$/,
  expected: 'a name without = and blanks',
  maxLength: 64,
});
const variablePrefix: Field<string> = (node, key, reading) =>
  'value' in node && node.value === '' ? '' : variable(node, key, reading);

const variables: { [K in keyof SlotVariableConfig]: Field<string> } = {
  activeVariable: variable,
  pendingVariable: variable,
  bootcountVariable: variable,
  bootlimitVariable: variable,
  uuidVariablePrefix: variablePrefix,
};

const uboot: Field<UbootSlotConfig> = check(
  record<UbootSlotConfig>(
    {
      backend: choice(['uboot']),
      blockOffset: integer({ min: 0, max: maxBlock, unit: 'blocks' }),
      blockCount: integer({ min: 1, max: 2_048, unit: 'blocks' }),
      blockOffsetRedund: integer({ min: 0, max: maxBlock, unit: 'blocks' }),
      ...variables,
    },
    defaultUbootSlotConfig,
    ['blockOffsetRedund'],
  ),
  ({ blockOffset, blockOffsetRedund, blockCount }, key) => {
    if (blockOffsetRedund === undefined || Math.abs(blockOffset - blockOffsetRedund) >= blockCount) return undefined;
    return {
      message: `the two environments of ${key} overlap`,
      seen: `${blockCount} blocks at ${blockOffset} and at ${blockOffsetRedund}`,
      expected: 'two ranges with no block in common',
    };
  },
);

const slotName: Field<string> = text({
  pattern: /^[A-Za-z0-9_-]{1,16}$/,
  expected: 'up to 16 letters, digits, - and _',
});

const file: Field<FileSlotConfig> = check(
  record<FileSlotConfig>(
    { backend: choice(['file']), file: path, slots: list(slotName, { min: 2, max: 2 }), ...variables },
    defaultFileSlotConfig,
  ),
  ({ slots }, key) =>
    slots[0] === slots[1]
      ? { message: `${key}.slots names one slot twice`, seen: slots.join(', '), expected: 'two names' }
      : undefined,
);

const script: Field<ScriptSlotConfig> = record<ScriptSlotConfig>(
  { backend: choice(['script']), command: argv, timeoutSeconds: seconds(1, 1) },
  defaultScriptSlotConfig,
);

export const slot: Field<SlotConfig> = tagged<SlotConfig>('backend', 'uboot', { uboot, file, script });
