import { readFile } from 'node:fs/promises';
import type { Running } from '../../protocol/event.ts';
import type { SlotBackend } from '../slot/slot-backend.ts';

/** Where the machine says what booted. */
export interface BootFile {
  /** Its one line changes with every boot of the machine: `/proc/sys/kernel/random/boot_id`. */
  idFile: string;
  /** Its one line names the slot that booted, written by the boot scripts: never what boots *next*. */
  slotFile?: string | undefined;
}

/** What runs now, read from the machine each time and never remembered. */
export async function readRunning({ idFile, slotFile }: BootFile, slots?: SlotBackend): Promise<Running> {
  const bootId = (await readFile(idFile, 'utf8')).trim().slice(0, 64);
  const named = slotFile === undefined ? undefined : (await readFile(slotFile, 'utf8')).trim().slice(0, 16);
  const state = await slots?.read();
  const slot = named ?? state?.running;
  if (!slot) return { bootId };
  const content = state?.slots[slot];
  return {
    bootId,
    slot,
    ...(content?.uuid === undefined ? {} : { bundleUuid: content.uuid }),
    ...(content?.version === undefined ? {} : { version: content.version }),
  };
}
