/** What came of work that Ctrl-C may leave: its value, or nothing when it was left. */
export type Interruptible<T> = { interrupted: false; value: T } | { interrupted: true };

/**
 * Runs `work` with a signal that aborts at the first SIGINT or SIGTERM; a second one kills as usual. Leaving is not a
 * failure: what `work` throws after the abort is dropped.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<Interruptible<T>> {
  const controller = new AbortController();
  const leave = () => controller.abort();
  process.once('SIGINT', leave);
  process.once('SIGTERM', leave);
  try {
    const value = await work(controller.signal);
    return controller.signal.aborted ? { interrupted: true } : { interrupted: false, value };
  } catch (error) {
    if (controller.signal.aborted) return { interrupted: true };
    throw error;
  } finally {
    process.removeListener('SIGINT', leave);
    process.removeListener('SIGTERM', leave);
  }
}
