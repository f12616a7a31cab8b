import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Log } from '../../log.ts';

export interface WatchdogOption {
  /** A watchdog device, a pipe that somebody reads, or a file whose time of change somebody watches. */
  file: string;
  intervalMs: number;
  /** Asked before each beat: false lets the watchdog bite. */
  isWell(): boolean;
  /** Asked at a stop: false leaves the watchdog armed, so that it bites unless another agent comes to feed it. */
  mayDisarm(): boolean;
  logger: Log;
}

/** A pipe that nobody reads must not hold the agent up. */
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK;

/** Feeds the watchdog for as long as this process turns its event loop and `isWell`. Returns the way to stop it in peace. */
export function startWatchdog({ file, intervalMs, isWell, mayDisarm, logger }: WatchdogOption): () => void {
  let handle: number | undefined;
  let complained = false;
  const write = (text: string) => {
    try {
      handle ??= openSync(file, openFlags); // held open: closing a watchdog device may disarm it
      writeSync(handle, text, fstatSync(handle).isFile() ? 0 : null);
      complained = false;
    } catch (error) {
      if (!complained) logger.error({ err: error, file }, 'the watchdog cannot be fed');
      complained = true;
    }
  };
  const beat = () => {
    if (isWell()) write('.');
  };
  beat();
  const timer = setInterval(beat, intervalMs);
  return () => {
    clearInterval(timer);
    if (handle === undefined) return;
    // The kernel's "magic close": an agent that ends in peace must not reset the machine. One that was given up may.
    if (isWell() && mayDisarm() && !fstatSync(handle).isFile()) write('V');
    closeSync(handle);
    handle = undefined;
  };
}
