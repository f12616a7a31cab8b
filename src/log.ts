/** Structured logs (pino) on stderr or a file; stdout is data only. Secrets never get here: log ids, not contents. */
import { pino, destination, type Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LogOption {
  /** The process: `core`, `gateway`, `agent`, `board`. */
  name: string;
  level?: LogLevel;
  /** A path, or 2 for stderr. */
  destination?: string | 2;
}

export function createLog({ name, level = 'info', destination: target = 2 }: LogOption): Log {
  return pino(
    { name, level, timestamp: pino.stdTimeFunctions.isoTime, base: { name, pid: process.pid } },
    destination({ dest: target, sync: true, mkdir: true }),
  );
}
