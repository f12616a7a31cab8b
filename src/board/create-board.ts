/** A board as tests and the demo hold it: its folder, its power switch, its log. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { appendBoardLog, readBoardLog, type BoardRecord } from './board-log.ts';
import { readEnvironment, readLoader } from './boot-medium.ts';
import { boardPaths, type BoardPath, type Hardware } from './hardware.ts';
import { kill } from './marked-process.ts';
import type { JigCommand } from './power-jig.ts';
import { cutPower, switchOn, type PowerCable } from './power-switch.ts';

export interface VirtualBoard extends AsyncDisposable {
  readonly dir: string;
  readonly deviceId: string;
  readonly path: BoardPath;
  powerOn(): Promise<void>;
  /** SIGKILL to the board and its agent. Nothing if it is off. */
  powerOff(): Promise<void>;
  /** Cuts the power as soon as what stands at this byte of the disk changes; resolves when it is off. */
  cutPowerWhenWritten(offset: number): Promise<void>;
  readonly powered: boolean;
  readLog(): Promise<BoardRecord[]>;
  /** What the agent and the board printed. */
  readConsole(): Promise<string>;
  /** The boot loader's variables, as they are on the disk. */
  readEnvironment(): Promise<Map<string, string>>;
  /** Process id of the agent that was started last. */
  agentPid(): Promise<number>;
  signalAgent(signal: NodeJS.Signals): Promise<void>;
}

export interface BoardOptions extends Partial<Hardware> {
  dir: string;
  deviceId: string;
}

/** Makes the folder and the hardware; the disk is written by a bundle's `complete` task, by whoever has the bundle. */
export async function createBoard({
  dir,
  deviceId,
  watchdogMs = 4000,
  firstTouchMs = 15_000,
}: BoardOptions): Promise<VirtualBoard> {
  const path = boardPaths(dir);
  await mkdir(path.data, { recursive: true, mode: 0o700 });
  await writeFile(path.hardware, JSON.stringify({ deviceId, watchdogMs, firstTouchMs } satisfies Hardware));
  return openBoard(dir);
}

/** A board that exists, switched off. */
export async function openBoard(dir: string): Promise<VirtualBoard> {
  const path = boardPaths(dir);
  const { deviceId } = JSON.parse(await readFile(path.hardware, 'utf8')) as Hardware;
  let powered: PowerCable | undefined;
  const board: VirtualBoard = {
    dir,
    deviceId,
    path,
    get powered() {
      return powered !== undefined;
    },
    async powerOn() {
      await stat(path.disk); // no disk, no start
      powered ??= await switchOn(dir);
    },
    async powerOff() {
      if (powered === undefined) return;
      const cut = powered;
      powered = undefined;
      await cutPower(cut);
      appendBoardLog(path.log, { event: 'power-off', bootId: await bootIdOf(path) });
    },
    async cutPowerWhenWritten(offset) {
      if (powered === undefined) throw new Error(`${deviceId} is switched off`);
      // Between the first write and the last there are some 30 ms, in which the rig has to get its turn.
      setPriority(await board.agentPid(), constants.priority.PRIORITY_LOW);
      powered.send(JSON.stringify({ cutPowerWhenWritten: offset } satisfies JigCommand));
      await powered.ended;
      await board.powerOff(); // what had left the board's process group
    },
    readLog: () => readBoardLog(path.log),
    readConsole: () => readFile(path.console, 'utf8'),
    readEnvironment: async () => readEnvironment(path.disk, await readLoader(path.disk)),
    async agentPid() {
      const starts = (await readBoardLog(path.log)).filter((record) => record.event === 'agent-start');
      const last = starts.at(-1);
      if (last === undefined) throw new Error(`${deviceId} has started no agent yet`);
      return last.pid;
    },
    async signalAgent(signal) {
      kill(await board.agentPid(), signal);
    },
    [Symbol.asyncDispose]: () => board.powerOff(),
  };
  return board;
}

async function bootIdOf(path: BoardPath): Promise<string> {
  return (await readFile(path.bootId, 'utf8').catch(() => '')).trim();
}
