import type { Clock } from '../../clock.ts';
import { runBounded } from '../machine/run-bounded.ts';
import { sleep } from '../wait.ts';
import type { ActionContext, ActionEnd } from './action.ts';

/** A program of the product does not want the machine to restart now. */
export interface RebootHold {
  reason: string;
  /** It will let go soon: the job waits for that, as long as its time allows. */
  defer: boolean;
}

export interface RebootOption {
  clock: Clock;
  command: readonly string[];
  hold(): RebootHold | undefined;
}

const lookAgainMs = 500;
const commandTimeoutMs = 30_000;

/** Asks the product, then the machine. It never tells of a success: only a new boot id does, to the next agent. */
export async function reboot({ clock, command, hold }: RebootOption, context: ActionContext): Promise<ActionEnd> {
  const { timeoutMs, signal, maxOutputBytes } = context;
  const endMs = clock.monotonicMs() + timeoutMs;
  for (let held = hold(); held !== undefined; held = hold()) {
    if (!held.defer) return { outcome: 'rejected', reason: `the product holds the reboot: ${held.reason}` };
    if (clock.monotonicMs() >= endMs) {
      return { outcome: 'rejected', reason: `the product has deferred the reboot for too long: ${held.reason}` };
    }
    await sleep(clock, lookAgainMs, signal);
  }
  const result = await runBounded({ argv: command, timeoutMs: commandTimeoutMs, maxOutputBytes, signal });
  if (result.end === 'aborted') return { outcome: 'aborted' };
  if (result.exitCode !== 0) {
    const { stdout, stderr, message, exitCode } = result;
    const told = message ?? (result.end === 'exited' ? `exit ${exitCode ?? result.signal}` : result.end);
    return { outcome: 'failed', reason: `${command.join(' ')}: ${told}`, stdout, stderr };
  }
  await sleep(clock, Math.max(0, endMs - clock.monotonicMs()), signal);
  return { outcome: 'failed', reason: 'the machine was told to restart and has not, in the time of the job' };
}
