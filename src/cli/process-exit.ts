import { setTimeout as delay } from 'node:timers/promises';
import { systemErrorCode } from '../error.ts';

const pollMs = 25;

/** True once the process is gone, false when it is still there after `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() >= end) return false;
    await delay(pollMs);
  }
  return true;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
