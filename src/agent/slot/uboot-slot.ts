// Not by the engine's index: the boot environment is read at every start, the engine is for an update alone.
import type { UbootLayout } from '../../firmware/apply/uboot-environment.ts';
import { readUbootEnvironment, writeUbootEnvironment } from '../../firmware/apply/uboot-file.ts';
import type { SlotBackend, SlotContent, SlotState } from './slot-backend.ts';
import { FlotillaError } from '../../error.ts';

export interface UbootSlotOption extends UbootLayout {
  /** The disk or image that holds the environment. */
  destination: string;
  activeVariable: string;
  pendingVariable: string;
  bootcountVariable: string;
  /** `<prefix><slot>.uuid`, `<prefix><slot>.version`, `<prefix><slot>.product`. */
  uuidVariablePrefix: string;
}

/** Slots as U-Boot's environment tells of them. */
export function createUbootSlots(option: UbootSlotOption): SlotBackend {
  const {
    destination,
    activeVariable,
    pendingVariable,
    bootcountVariable,
    blockOffset,
    blockCount,
    blockOffsetRedund,
  } = option;
  const layout: UbootLayout = {
    blockOffset,
    blockCount,
    ...(blockOffsetRedund === undefined ? {} : { blockOffsetRedund }),
  };
  const write = (changes: Record<string, string>) => writeUbootEnvironment(destination, layout, changes);
  return {
    async read() {
      return slotStateOf(await readUbootEnvironment(destination, layout), option);
    },
    markGood: () => write({ [pendingVariable]: '0', [bootcountVariable]: '0' }),
    activate: (slot) => write({ [activeVariable]: slot, [pendingVariable]: '0', [bootcountVariable]: '0' }),
  };
}

type Name = Pick<UbootSlotOption, 'activeVariable' | 'pendingVariable' | 'bootcountVariable' | 'uuidVariablePrefix'>;

export function slotStateOf(variables: ReadonlyMap<string, string>, name: Name): SlotState {
  const active = variables.get(name.activeVariable);
  if (!active) {
    throw new FlotillaError('failed', 'slot-active-unknown', 'the boot environment names no active slot', {
      expected: `a variable ${name.activeVariable}`,
    });
  }
  const slots: Record<string, SlotContent> = Object.create(null) as Record<string, SlotContent>;
  for (const [variable, value] of variables) {
    const match = variable.startsWith(name.uuidVariablePrefix)
      ? /^([^.]{1,16})\.(uuid|version|product)$/.exec(variable.slice(name.uuidVariablePrefix.length))
      : null;
    if (match) (slots[match[1]!] ??= {})[match[2] as keyof SlotContent] = value.slice(0, 128);
  }
  const count = variables.get(name.bootcountVariable) ?? '';
  return {
    active,
    pending: variables.get(name.pendingVariable) === '1',
    bootCount: /^[0-9]{1,9}$/.test(count) ? Number(count) : 0,
    slots,
  };
}
