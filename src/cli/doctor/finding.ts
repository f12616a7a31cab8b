/** One thing that was looked at. `bad` means that something will not work; `warn` that it soon may not. */
export interface Finding {
  name: string;
  verdict: 'ok' | 'warn' | 'bad';
  detail: string;
  /** What to do about it. */
  mend?: string;
}

export const ok = (name: string, detail: string): Finding => ({ name, verdict: 'ok', detail });
export const warn = (name: string, detail: string, mend: string): Finding => ({ name, verdict: 'warn', detail, mend });
export const bad = (name: string, detail: string, mend: string): Finding => ({ name, verdict: 'bad', detail, mend });

/** A finding from what a check threw. */
export function thrown(name: string, error: unknown, mend: string): Finding {
  return bad(name, error instanceof Error ? error.message : String(error), mend);
}
