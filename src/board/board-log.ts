import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { systemErrorCode } from '../error.ts';

/** What a board saw itself do: the outside witness of every restart. Slot, uuid and version are as the environment had them. */
export type BoardEvent =
  | { event: 'boot'; bootId: string; slot: string; bootCount: number; uuid?: string; version?: string; why: BootCause }
  | { event: 'fallback'; bootId: string; from: string; to: string }
  | { event: 'environment-lost'; bootId: string; message: string }
  | { event: 'panic'; bootId: string; message: string }
  | { event: 'agent-start'; bootId: string; pid: number; argv: string[] }
  | { event: 'agent-exit'; bootId: string; pid?: number; exitCode?: number; signal?: string; message?: string }
  | { event: 'watchdog-reset'; bootId: string; silentMs: number }
  | { event: 'reboot'; bootId: string }
  | { event: 'power-off'; bootId: string };

export type BootCause = 'power-on' | 'reboot' | 'watchdog' | 'panic';
export type BoardRecord = BoardEvent & { timeMs: number };

/** Appends one line at once: what was logged before a power cut is in the file. */
export function appendBoardLog(path: string, event: BoardEvent): void {
  appendFileSync(path, `${JSON.stringify({ timeMs: Date.now(), ...event })}\n`);
}

/** All whole lines; a line torn by a power cut is left out. */
export async function readBoardLog(path: string): Promise<BoardRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  });
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BoardRecord);
}
