/**
 * Slots as a program of the device's owner tells of them, for RAUC, GRUB, EFI and whatever else decides what boots. It
 * is called with a verb (see the guide, "Boot loaders"); 0 is done, anything else is not, and stderr says why.
 */
import { FlotillaError } from '../../error.ts';
import { runBounded } from '../machine/run-bounded.ts';
import { parseScriptState } from './script-state.ts';
import type { SlotBackend, SlotContent } from './slot-backend.ts';
import { oneLine } from './slot-variable.ts';

export interface ScriptSlotOption {
  command: readonly string[];
  timeoutSeconds: number;
}

export const maxScriptOutputBytes = 16_384;

export function createScriptSlots({ command, timeoutSeconds }: ScriptSlotOption): SlotBackend {
  const call = async (argument: readonly string[], content: SlotContent = {}): Promise<string> => {
    const result = await runBounded({
      argv: [...command, ...argument],
      timeoutMs: timeoutSeconds * 1_000,
      maxOutputBytes: maxScriptOutputBytes,
      environment: {
        FLOTILLA_UUID: content.uuid ?? '',
        FLOTILLA_VERSION: oneLine(content.version ?? ''),
        FLOTILLA_PRODUCT: oneLine(content.product ?? ''),
      },
    });
    const called = [...command, ...argument].join(' ');
    if (result.end === 'exited' && result.exitCode === 0) {
      if (result.truncatedBytes === 0) return result.stdout;
      throw new FlotillaError('failed', 'slot-script-endless', `${called} says more than any state of slots`, {
        seen: `${maxScriptOutputBytes + result.truncatedBytes} bytes`,
        expected: `at most ${maxScriptOutputBytes} bytes`,
      });
    }
    const how =
      result.end === 'timed-out'
        ? `no end within ${timeoutSeconds} s`
        : (result.message ?? (result.exitCode === undefined ? `ended by ${result.signal}` : `exit ${result.exitCode}`));
    const said = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new FlotillaError('failed', 'slot-script-failed', `${called} failed`, {
      seen: [how, said].filter(Boolean).join(': ').slice(0, 300),
      expected: 'exit 0; stderr says why it is not',
    });
  };
  return {
    read: async () => parseScriptState(await call(['state'])),
    async markGood(slot) {
      await call(['mark-good', slot]);
    },
    async activate(slot) {
      await call(['activate', slot]);
    },
    async tryNext(slot, content) {
      await call(['try', slot], content);
    },
    async confirmBoot(slot) {
      await call(['mark-good', slot]);
    },
  };
}
