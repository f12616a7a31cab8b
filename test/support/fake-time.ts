/** Processes whose machine has another time: libfaketime under a real agent or coordinator. */
import { execaSync } from 'execa';
import { hasTools } from './system-tool.ts';

export const hasFakeTime = hasTools('clocks that are wrong', 'faketime');

/** For a process and its children. `time` as faketime takes it: `@1970-01-02 00:00:00`, or `+100d`. */
export function fakeTime(time: string): Record<string, string> {
  const { stdout } = execaSync('faketime', ['-m', '-f', time, 'env']);
  const library = /^LD_PRELOAD=(.*)$/m.exec(stdout)?.[1];
  if (library === undefined) throw new Error(`faketime told no library:\n${stdout}`);
  // The monotonic clock is right on every machine: only the date is lost with its battery.
  return { LD_PRELOAD: library, FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: '1', TZ: 'UTC' };
}

export const noFakeTime: Record<string, string> = { LD_PRELOAD: '', FAKETIME: '' };
