import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** Time that no clock can set: counted since the machine has booted, also while it slept. */
export interface BootTime {
  /** Changes with every boot of the machine. */
  bootId(): string;
  /** Only to be compared within one boot. */
  uptimeMs(): number;
}

export function createBootTime(idFile: string): BootTime {
  // No process outlives its boot.
  let bootId: string | undefined;
  return {
    bootId: () => (bootId ??= readFileSync(idFile, 'utf8').trim().slice(0, 64)),
    uptimeMs: () => uptime() * 1_000,
  };
}
