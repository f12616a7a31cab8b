import { openSync, closeSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import type { Init } from './boot-medium.ts';

export interface SupervisorOption {
  argv: readonly string[];
  respawn: Init['respawn'];
  /** The slot's contents: where a board's init would have `/`. */
  root: string;
  /** Appended to: what the agent prints. */
  consolePath: string;
  onStart: (pid: number) => void;
  onExit: (exit: { pid?: number; exitCode?: number; signal?: string; message?: string }) => void;
}

/** The part of init that minds the agent: starts it, and starts it again with a growing delay; the boot stays the same. */
export class AgentSupervisor {
  readonly #option: SupervisorOption;
  #child: ChildProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  #delayMs: number;
  #stopped = false;

  constructor(option: SupervisorOption) {
    this.#option = option;
    this.#delayMs = option.respawn.firstDelaySeconds * 1000;
  }

  start(): void {
    const { argv, root, consolePath, onStart, onExit } = this.#option;
    const output = openSync(consolePath, 'a');
    // In the board's process group, so that one signal to the group is a power cut.
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', output, output], cwd: root });
    closeSync(output);
    this.#child = child;
    if (child.pid !== undefined) onStart(child.pid);
    child.once('error', (error) => {
      if (child.pid === undefined) this.#ended(() => onExit({ message: error.message }));
    });
    child.once('exit', (exitCode, signal) =>
      this.#ended(() =>
        onExit({
          ...(child.pid === undefined ? {} : { pid: child.pid }),
          ...(exitCode === null ? {} : { exitCode }),
          ...(signal === null ? {} : { signal }),
        }),
      ),
    );
  }

  #ended(report: () => void): void {
    if (this.#stopped) return;
    report();
    this.#retry = setTimeout(() => this.start(), this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, this.#option.respawn.maxDelaySeconds * 1000);
  }

  /** No more starts. Asks the agent to end, as a shutdown does, and gives it `graceMs`; the rest is the reset's work. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (graceMs === 0 || child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([gone, late]);
    clearTimeout(timer);
  }
}
