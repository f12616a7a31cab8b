/** Slots told by variables: U-Boot's environment, or the same in a text file. */
import { FlotillaError } from '../../error.ts';
import type { SlotContent, SlotState } from './slot-backend.ts';

export interface SlotVariableName {
  activeVariable: string;
  pendingVariable: string;
  bootcountVariable: string;
  /** `<prefix><slot>.uuid`, `<prefix><slot>.version`, `<prefix><slot>.product`. */
  uuidVariablePrefix: string;
}

/** What a line of a file, or a variable of a script's environment, can hold. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

export function slotStateOf(variables: ReadonlyMap<string, string>, name: SlotVariableName): SlotState {
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
