/** One thing that was looked at. `fail` means that something does not work or is not safe; `warn` that it soon may not. */
export interface Finding {
  /** Stable: scripts go by it. */
  id: string;
  verdict: 'ok' | 'warn' | 'fail';
  seen: string;
  expected?: string;
  /** What to do about it; a command wherever there is one. */
  mend?: string;
}

export const ok = (id: string, seen: string): Finding => ({ id, verdict: 'ok', seen });
export const warn = (id: string, seen: string, mend: string, expected?: string): Finding =>
  given({ id, verdict: 'warn', seen, mend }, expected);
export const fail = (id: string, seen: string, mend: string, expected?: string): Finding =>
  given({ id, verdict: 'fail', seen, mend }, expected);

function given(finding: Finding, expected: string | undefined): Finding {
  return expected === undefined ? finding : { ...finding, expected };
}

/** A finding from what a check threw. */
export function thrown(id: string, error: unknown, mend: string): Finding {
  return fail(id, error instanceof Error ? error.message : String(error), mend);
}
