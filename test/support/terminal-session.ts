/** A person at a terminal: a tmux session of its own, in which keys are typed and whose screen and scrollback are read. */
import { execa } from 'execa';
import { eventually } from './eventually.ts';
import { temporaryDirectory } from './temporary.ts';
import { toolPath } from './system-tool.ts';

export interface TerminalSession extends AsyncDisposable {
  /** Types a line and Enter. */
  type(text: string): Promise<void>;
  /** What stands on the screen and has been scrolled off it. */
  screen(): Promise<string>;
  /** Waits for text below all that was waited for before; returns what came until then. */
  reads(pattern: RegExp | string): Promise<string>;
}

/** `env`: all that the shell knows besides PATH. */
export async function startTerminal(env: Record<string, string>): Promise<TerminalSession> {
  await using stack = new AsyncDisposableStack();
  const scratch = stack.use(await temporaryDirectory());
  const tmux = (...args: string[]) =>
    execa('tmux', ['-L', 'test', '-f', '/dev/null', ...args], {
      env: { ...env, PATH: env['PATH'] ?? toolPath, TMUX_TMPDIR: scratch.path, TERM: 'xterm', LC_ALL: 'C.UTF-8' },
      extendEnv: false,
      cwd: scratch.path,
    });
  const shell = ['bash', '--norc', '--noprofile', '-c', "PS1='> ' exec bash --norc --noprofile"];
  await tmux('new-session', '-d', '-s', 'person', '-x', '160', '-y', '50', ...shell);
  stack.defer(async () => void (await tmux('kill-server').catch(() => undefined)));
  const screen = async (): Promise<string> => {
    const { stdout } = await tmux('capture-pane', '-p', '-J', '-S', '-', '-t', 'person');
    return stdout;
  };
  let typed = 0;
  const owned = stack.move();
  return {
    screen,
    async type(text) {
      await tmux('send-keys', '-t', 'person', '-l', text);
      await tmux('send-keys', '-t', 'person', 'Enter');
    },
    async reads(pattern) {
      const what =
        typeof pattern === 'string' ? new RegExp(pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')) : pattern;
      return eventually(`on the screen: ${what}`, async () => {
        const text = await screen();
        const match = what.exec(text.slice(typed));
        if (match === null) return undefined;
        const until = text.slice(typed, typed + match.index + match[0].length);
        typed += match.index + match[0].length;
        return until;
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
