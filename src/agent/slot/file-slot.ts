/** Slots as a text file tells of them, for boot loaders and boot scripts that read a file: `NAME=VALUE` a line, as U-Boot's `env import -t` takes it. */
import { readFile, stat } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { replaceFile } from '../../pki/replace-file.ts';
import type { SlotBackend, SlotContent } from './slot-backend.ts';
import { oneLine, slotStateOf, type SlotVariableName } from './slot-variable.ts';

export interface FileSlotOption extends SlotVariableName {
  file: string;
  /** The two slots; the first boots where the file names neither. */
  slots: readonly string[];
}

/** What no boot script's file has any use for. */
const maxFileBytes = 65_536;

export function createFileSlots(option: FileSlotOption): SlotBackend {
  const { file, activeVariable, pendingVariable, bootcountVariable, uuidVariablePrefix } = option;
  const read = async () => parseVariables(await readText(file), file);
  /** One new file in the place of the old one: all of it happened, or nothing. What others keep there stays. */
  const write = async (changes: Record<string, string>) => {
    const variables = await read();
    const news = Object.entries(changes).filter(([name, value]) => variables.get(name) !== value);
    if (news.length === 0) return;
    for (const [name, value] of news) variables.set(name, value);
    const text = [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
    const mode = await stat(file).then(
      (found) => found.mode & 0o777,
      () => 0o644,
    );
    await replaceFile(file, text, mode);
  };
  const proven = (slot: string) => write({ [activeVariable]: slot, [pendingVariable]: '0', [bootcountVariable]: '0' });
  return {
    async read() {
      const variables = await read();
      const active = variables.get(activeVariable);
      if (active === undefined || !option.slots.includes(active)) variables.set(activeVariable, option.slots[0]!);
      const state = slotStateOf(variables, option);
      for (const slot of option.slots) state.slots[slot] ??= {};
      return state;
    },
    markGood: proven,
    activate: proven,
    tryNext: (slot, content) =>
      write({
        ...contentLines(`${uuidVariablePrefix}${slot}`, content),
        [activeVariable]: slot,
        [pendingVariable]: '1',
        [bootcountVariable]: '0',
      }),
  };
}

/** What is not known any more is written as nothing: the slot holds something else now. */
function contentLines(slot: string, { uuid = '', version = '', product = '' }: SlotContent): Record<string, string> {
  return { [`${slot}.uuid`]: uuid, [`${slot}.version`]: oneLine(version), [`${slot}.product`]: oneLine(product) };
}

/** A board that was just made may have no file yet: it runs its first slot. */
async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes) {
      throw new FlotillaError('failed', 'slot-file-invalid', 'the file of the slots is no such file', {
        seen: `${file}: ${size} bytes`,
        expected: `NAME=VALUE lines, at most ${maxFileBytes} bytes`,
      });
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function parseVariables(text: string, file: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^([^=\s]+)=(.*?)\r?$/.exec(line);
    if (match === null) {
      throw new FlotillaError(
        'failed',
        'slot-file-invalid',
        'the file of the slots holds a line that is none of its own',
        {
          seen: line.slice(0, 80),
          expected: 'NAME=VALUE',
          position: { file, line: index + 1, column: 1 },
        },
      );
    }
    variables.set(match[1]!, match[2]!);
  }
  return variables;
}
