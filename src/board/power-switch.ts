import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { boardPaths } from './hardware.ts';
import { boardProcessArgv } from './launcher-path.ts';
import { boardMark, kill, killMarked } from './marked-process.ts';

export interface Powered {
  dir: string;
  /** Of the board process, which leads its process group. */
  pid: number;
}

export interface PowerCable extends Powered {
  /** A line to the board's test rig. */
  send(line: string): void;
  /** Resolves when the board process has ended, however. */
  ended: Promise<void>;
}

/** Starts the board process of `dir`. When this process ends, however it ends, the board loses power: a pipe tells it. */
export async function switchOn(dir: string): Promise<PowerCable> {
  const [command, ...rest] = boardProcessArgv(dir);
  const { name, value } = boardMark(dir);
  const console = openSync(boardPaths(dir).console, 'a');
  const child = spawn(command!, rest, {
    detached: true, // leads a group: one signal is a power cut
    stdio: ['pipe', 'ignore', console],
    env: { ...process.env, [name]: value },
  });
  closeSync(console);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await once(child, 'spawn');
  const cable = child.stdin as Socket;
  cable.on('error', () => undefined); // the board is gone; `ended` tells
  child.unref();
  cable.unref();
  return { dir, pid: child.pid!, send: (line) => void cable.write(`${line}\n`), ended };
}

/** SIGKILL to the board and all that runs on it, the whole group at once; returns when all of it is gone. */
export async function cutPower({ dir, pid }: Powered): Promise<void> {
  const own = pid === process.pid; // a board that cuts its own power goes last
  if (!own) kill(-pid, 'SIGKILL');
  await killMarked(boardMark(dir), own ? pid : undefined);
  if (own) kill(pid, 'SIGKILL');
}
