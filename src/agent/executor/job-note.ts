import type { HoldRecord } from './hold.ts';

/** What is remembered of a job that has started. */
export interface JobNote {
  hold?: HoldRecord;
  /** Of a reboot: what the machine ran before it. */
  bootId?: string;
}

/** Undefined: there is nothing to remember. */
export function noteOf(bootId: string | undefined, hold: HoldRecord | undefined): JobNote | undefined {
  if (bootId === undefined && hold === undefined) return undefined;
  return { ...(bootId === undefined ? {} : { bootId }), ...(hold === undefined ? {} : { hold }) };
}
