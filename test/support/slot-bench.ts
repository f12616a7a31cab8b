/** Each back end with the boot loader behind it: two slots, what an update does to them, and the loader's next boot. */
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { createFileSlots } from '../../src/agent/slot/file-slot.ts';
import { createScriptSlots } from '../../src/agent/slot/script-slot.ts';
import type { SlotBackend, SlotContent } from '../../src/agent/slot/slot-backend.ts';
import { createUbootSlots } from '../../src/agent/slot/uboot-slot.ts';
import { decideBoot } from '../../src/board/boot-decision.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import { encodeUbootEnvironment } from '../../src/firmware/apply/uboot-environment.ts';
import { readUbootEnvironment, writeUbootEnvironment } from '../../src/firmware/index.ts';
import { toolPath } from './system-tool.ts';

export interface SlotBench {
  slots: SlotBackend;
  /** What the slots are called, the one that runs first. */
  names: [string, string];
  /** The end of an installation: by the back end, or by what the bundle's task does. */
  tryNext(slot: string, content: SlotContent): Promise<void>;
  /** Restarts the machine; what runs then. */
  boot(): Promise<string>;
  /** All that the boot loader and the back end keep. */
  stored(): Promise<string>;
}

const variable = {
  activeVariable: 'active_slot',
  pendingVariable: 'upgrade_available',
  bootcountVariable: 'bootcount',
  uuidVariablePrefix: '',
};
const template = (name: string) => join(packageRoot(), 'templates/slot', name);
const tools = join(import.meta.dirname, 'boot-tool');

async function storedIn(dir: string): Promise<string> {
  const files = (await readdir(dir)).sort();
  return (await Promise.all(files.map(async (name) => `${name}\n${await readFile(join(dir, name), 'latin1')}`))).join();
}

async function uboot(dir: string): Promise<SlotBench> {
  const layout = { blockOffset: 0, blockCount: 16, blockOffsetRedund: 16 };
  const destination = join(dir, 'disk');
  await writeFile(destination, Buffer.concat([0, 1].map((flags) => encodeUbootEnvironment(new Map(), 16, flags))));
  await writeUbootEnvironment(destination, layout, { active_slot: 'a', bootlimit: '3', serial: '17' });
  return {
    slots: createUbootSlots({ destination, ...layout, ...variable }),
    names: ['a', 'b'],
    tryNext: (slot, { uuid = '', version = '' }) =>
      writeUbootEnvironment(destination, layout, {
        [`${slot}.uuid`]: uuid,
        [`${slot}.version`]: version,
        active_slot: slot,
        upgrade_available: '1',
        bootcount: '0',
      }),
    async boot() {
      const { slot, changes } = decideBoot(await readUbootEnvironment(destination, layout), ['a', 'b']);
      if (Object.keys(changes).length > 0) await writeUbootEnvironment(destination, layout, changes);
      return slot;
    },
    stored: () => storedIn(dir),
  };
}

async function file(dir: string): Promise<SlotBench> {
  const path = join(dir, 'slots');
  await writeFile(path, 'active_slot=a\nserial=17\n');
  const slots = createFileSlots({ file: path, slots: ['a', 'b'], ...variable });
  return {
    slots,
    names: ['a', 'b'],
    tryNext: (slot, content) => slots.tryNext!(slot, content),
    boot: async () => (await execa(template('boot-file.sh'), [path])).stdout,
    stored: () => storedIn(dir),
  };
}

function script(dir: string, name: string, names: [string, string], boot: () => Promise<string>): SlotBench {
  // The scripts take their places from the environment, which a test shares with others: hence by env.
  const environment = [`PATH=${tools}:${toolPath}`, `FAKE_BOOT=${dir}`, `FLOTILLA_SLOT_NOTE=${join(dir, 'note')}`];
  const command = ['env', ...environment, `FLOTILLA_GRUBENV=${join(dir, 'grubenv')}`, template(name)];
  const slots = createScriptSlots({ command, timeoutSeconds: 20 });
  return {
    slots,
    names,
    tryNext: (slot, content) => slots.tryNext!(slot, content),
    boot,
    stored: () => storedIn(dir),
  };
}

async function rauc(dir: string): Promise<SlotBench> {
  const boot = async () => (await execa(join(tools, 'rauc'), ['boot'], { env: { FAKE_BOOT: dir } })).stdout;
  await boot();
  return script(dir, 'rauc.sh', ['A', 'B'], boot);
}

async function efi(dir: string): Promise<SlotBench> {
  const boot = async () => (await execa(join(tools, 'efibootmgr'), ['boot'], { env: { FAKE_BOOT: dir } })).stdout;
  await boot();
  return script(dir, 'efi.sh', ['a', 'b'], boot);
}

async function grub(dir: string): Promise<SlotBench> {
  const grubenv = join(dir, 'grubenv');
  const edit = async (...argument: string[]) =>
    (await execa('grub-editenv', [grubenv, ...argument], { env: { PATH: toolPath } })).stdout;
  await edit('create');
  await edit('set', 'saved_entry=a', 'serial=17');
  // What grub.cfg does, as the script's head shows it.
  const boot = async () => {
    const lines = (await edit('list')).split('\n');
    const value = (name: string) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    const next = value('next_entry');
    if (next !== '') await edit('set', 'next_entry=');
    return next || value('saved_entry');
  };
  return script(dir, 'grub.sh', ['a', 'b'], boot);
}

const kinds = { uboot, file, rauc, grub, efi };
export type SlotBenchKind = keyof typeof kinds;
export const slotBenchKinds = Object.keys(kinds) as SlotBenchKind[];

export async function slotBench(kind: SlotBenchKind, dir: string): Promise<SlotBench> {
  const own = join(dir, kind);
  await mkdir(own, { recursive: true });
  return kinds[kind](own);
}
