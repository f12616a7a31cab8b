import { statSync } from 'node:fs';

export interface WatchdogOption {
  /** The file that the agent touches. */
  path: string;
  firstTouchMs: number;
  silentMs: number;
  /** Called once, with the length of the silence. */
  onSilence: (silentMs: number) => void;
}

/** A watchdog timer: armed at boot, it can only be fed. Time is monotonic; the file's own time only says that it was touched. */
export function armWatchdog({ path, firstTouchMs, silentMs, onSilence }: WatchdogOption): { disarm(): void } {
  const touchedAt = (): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  let seen = touchedAt();
  let fedAt = performance.now();
  let limitMs = firstTouchMs;
  const timer = setInterval(
    () => {
      const touched = touchedAt();
      if (touched !== seen) {
        seen = touched;
        fedAt = performance.now();
        limitMs = silentMs;
        return;
      }
      const silence = performance.now() - fedAt;
      if (silence < limitMs) return;
      clearInterval(timer);
      onSilence(Math.round(silence));
    },
    Math.max(20, Math.min(firstTouchMs, silentMs) / 10),
  );
  return { disarm: () => clearInterval(timer) };
}
