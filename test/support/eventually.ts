/** However long the answer took. */
const mostPauseMs = 500;

/**
 * Waits for a condition by asking for it, with a limit; never a blind sleep. A question that costs much, such as the start
 * of a command, is asked less often: others need the processor for what is waited for.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 30_000, everyMs = 50 } = {},
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    const askedMs = performance.now();
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`not seen within ${timeoutMs} ms: ${what}`, { cause: last });
    const pauseMs = Math.max(everyMs, Math.min(performance.now() - askedMs, mostPauseMs));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
