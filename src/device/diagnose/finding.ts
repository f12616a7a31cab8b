/** One thing that was looked at. `bad`: something does not work because of it; `warn`: it may be so soon. */
export interface Finding {
  name: string;
  verdict: 'ok' | 'warn' | 'bad' | 'skipped';
  /** What was seen. */
  detail: string;
  /** What to do about it. */
  mend?: string;
}

export const ok = (name: string, detail: string): Finding => ({ name, verdict: 'ok', detail });
export const warn = (name: string, detail: string, mend: string): Finding => ({ name, verdict: 'warn', detail, mend });
export const bad = (name: string, detail: string, mend: string): Finding => ({ name, verdict: 'bad', detail, mend });
export const skipped = (name: string, detail: string): Finding => ({ name, verdict: 'skipped', detail });
