/** Time of this thread alone, so that a busy machine counts less, beside what passed on the wall. */
export interface Timing {
  cpuMs: number;
  wallMs: number;
}

export function time<T>(work: () => T): Timing & { value: T } {
  const cpu = process.threadCpuUsage();
  const start = performance.now();
  const value = work();
  const wallMs = performance.now() - start;
  const { user, system } = process.threadCpuUsage(cpu);
  return { value, cpuMs: (user + system) / 1_000, wallMs };
}

/** Not the median: the kernel counts a thread's time in ticks that are longer than some selections. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function round(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** MiB that are in use after a full collection: objects, and arrays outside the heap. */
export function usedMiB(): number {
  if (globalThis.gc === undefined) throw new Error('started without --expose-gc');
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
}
