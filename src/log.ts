/** Structured logs (pino) on stderr or a file; stdout is data only. Secrets never get here: log ids, not contents. */
import { pino, destination, type Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Takes whole lines. */
export interface LogOutput {
  write(line: string): void;
}

export interface LogOption {
  /** The process: `core`, `gateway`, `agent`, `board`. */
  name: string;
  level?: LogLevel;
  /** A path, 2 for stderr, or what takes the lines. */
  destination?: string | 2 | LogOutput;
}

export function createLog({ name, level = 'info', destination: target = 2 }: LogOption): Log {
  return pino(
    { name, level, timestamp: pino.stdTimeFunctions.isoTime, base: { name, pid: process.pid } },
    typeof target === 'object' ? target : openLog(target),
  );
}

/** Lines are written before the call ends: nothing is lost when the process is. */
export function openLog(target: string | 2): LogOutput {
  return destination({ dest: target, sync: true, mkdir: true });
}
