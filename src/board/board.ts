import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentSupervisor } from './agent-supervisor.ts';
import { appendBoardLog, type BoardEvent, type BootCause } from './board-log.ts';
import { decideBoot } from './boot-decision.ts';
import { readEnvironment, readInit, readLoader, readSlot, writeEnvironment, type Loader } from './boot-medium.ts';
import { boardPaths, type BoardPath, type Hardware } from './hardware.ts';
import { boardMark, killMarked } from './marked-process.ts';
import { extractRootfs } from './rootfs.ts';
import { armWatchdog } from './watchdog.ts';

export interface BoardOption {
  dir: string;
  hardware: Hardware;
  /** What `flotilla` in a slot's argv stands for. */
  flotilla: readonly string[];
}

/** How long an orderly reboot waits for the agent to end by itself. */
const shutdownGraceMs = 1000;
/** A panic resets after this, as `panic=` on a kernel's command line does. */
const panicDelayMs = 500;

/** One powered board: it owns the boot id, plays the boot loader and init, and resets itself. One process is one power-on. */
export class Board {
  readonly #option: BoardOption;
  readonly #path: BoardPath;
  #bootId = '';
  #agent: AgentSupervisor | undefined;
  #watchdog: { disarm(): void } | undefined;
  #resetting = false;

  constructor(option: BoardOption) {
    this.#option = option;
    this.#path = boardPaths(option.dir);
  }

  async powerOn(): Promise<void> {
    await this.#boot('power-on');
  }

  /** The reboot command's effect. A second one while the first is under way does nothing. */
  async reboot(): Promise<void> {
    await this.#reset('reboot', { event: 'reboot', bootId: this.#bootId }, shutdownGraceMs);
  }

  async #boot(why: BootCause): Promise<void> {
    this.#bootId = randomUUID();
    try {
      const loader = await readLoader(this.#path.disk);
      const slot = await this.#chooseSlot(loader, why);
      await this.#startSlot(loader, slot);
    } catch (error) {
      this.#log({
        event: 'panic',
        bootId: this.#bootId,
        message: error instanceof Error ? error.message : String(error),
      });
      setTimeout(() => void this.#reset('panic', undefined, 0), panicDelayMs);
    }
  }

  async #chooseSlot(loader: Loader, why: BootCause): Promise<string> {
    const bootId = this.#bootId;
    const environment = await readEnvironment(this.#path.disk, loader).catch((error: Error) => {
      // U-Boot goes on with the environment that it was built with; ours names no slot.
      this.#log({ event: 'environment-lost', bootId, message: error.message });
      return undefined;
    });
    const [first, second] = loader.slots;
    const decision = decideBoot(environment ?? new Map(), [first!.name, second!.name]);
    if (environment && Object.keys(decision.changes).length > 0) {
      await writeEnvironment(this.#path.disk, loader, decision.changes);
    }
    if (decision.gaveUp !== undefined) {
      this.#log({ event: 'fallback', bootId, from: decision.gaveUp, to: decision.slot });
    }
    const { slot, bootCount } = decision;
    const uuid = environment?.get(`${slot}.uuid`);
    const version = environment?.get(`${slot}.version`);
    this.#log({
      event: 'boot',
      bootId,
      slot,
      bootCount,
      ...(uuid === undefined ? {} : { uuid }),
      ...(version === undefined ? {} : { version }),
      why,
    });
    return slot;
  }

  async #startSlot(loader: Loader, slot: string): Promise<void> {
    const path = this.#path;
    await rm(path.run, { recursive: true, force: true });
    const contents = await readSlot(path.disk, loader, slot);
    await extractRootfs(contents, path.rootfs);
    await mkdir(path.data, { recursive: true, mode: 0o700 });
    await writeFile(path.bootId, `${this.#bootId}\n`);
    await writeFile(path.slot, `${slot}\n`);
    await writeFile(path.watchdog, '');
    await writeFile(path.reboot, `#!/bin/sh\nexec kill -USR1 ${process.pid}\n`, { mode: 0o755 });
    const init = readInit(contents, loader);
    const { watchdogMs, firstTouchMs } = this.#option.hardware;
    this.#watchdog = armWatchdog({
      path: path.watchdog,
      firstTouchMs,
      silentMs: watchdogMs,
      onSilence: (silentMs) =>
        void this.#reset('watchdog', { event: 'watchdog-reset', bootId: this.#bootId, silentMs }, 0),
    });
    const argv = this.#resolveArgv(init.agent.argv);
    const bootId = this.#bootId;
    this.#agent = new AgentSupervisor({
      argv,
      respawn: init.respawn,
      root: path.rootfs,
      consolePath: path.console,
      onStart: (pid) => this.#log({ event: 'agent-start', bootId, pid, argv: [...init.agent.argv] }),
      onExit: (exit) => this.#log({ event: 'agent-exit', bootId, ...exit }),
    });
    this.#agent.start();
  }

  async #reset(why: BootCause, event: BoardEvent | undefined, graceMs: number): Promise<void> {
    if (this.#resetting) return;
    this.#resetting = true;
    this.#watchdog?.disarm();
    if (event) this.#log(event);
    await this.#agent?.stop(graceMs);
    await killMarked(boardMark(this.#option.dir), process.pid);
    this.#resetting = false;
    await this.#boot(why);
  }

  /** A board has mounts where this one has folders: `/data` is the data partition, the rest of `/` is the slot. */
  #resolveArgv(argv: readonly string[]): string[] {
    return argv.flatMap((argument, index) => {
      if (index === 0 && argument === 'flotilla') return [...this.#option.flotilla];
      if (argument === '/data' || argument.startsWith('/data/')) return [join(this.#path.data, argument.slice(5))];
      return [argument.startsWith('/') ? join(this.#path.rootfs, argument) : argument];
    });
  }

  #log(event: BoardEvent): void {
    appendBoardLog(this.#path.log, event);
  }
}
