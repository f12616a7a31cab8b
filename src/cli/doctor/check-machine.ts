/** What has nothing to do with a fleet: the runtime, the tools, the clock. */
import { execa } from 'execa';
import { type Finding, fail, ok, warn } from './finding.ts';

const minNodeMajor = 24;

export function checkNode(version: string = process.version): Finding {
  const major = Number(/^v(\d+)/.exec(version)?.[1]);
  if (major >= minNodeMajor) return ok('node', version);
  return fail('node', `${version} is too old`, `start flotilla with npx, or install Node ${minNodeMajor}`);
}

/** Bundles are made by the builtin engine; the real fwup is only wanted for --engine fwup. */
export async function checkFwup(): Promise<Finding> {
  const found = await execa('fwup', ['--version'], { reject: false, timeout: 5000, stdin: 'ignore' });
  if (found.exitCode === 0) return ok('fwup', `${found.stdout.trim()} on PATH; the builtin engine is there as well`);
  return ok('fwup', 'not on PATH; the builtin engine is used');
}

/** A clock before `notBeforeMs` (something that was made on this machine) is certainly wrong. */
export async function checkClock(nowMs: number, notBeforeMs: number): Promise<Finding> {
  const now = new Date(nowMs).toISOString();
  if (nowMs < notBeforeMs) {
    const made = new Date(notBeforeMs).toISOString();
    return fail(
      'clock',
      `it says ${now}, but the fleet was made at ${made}`,
      'set the clock: timedatectl set-ntp true',
    );
  }
  const asked = await execa('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    reject: false,
    timeout: 5000,
    stdin: 'ignore',
  });
  if (asked.exitCode === 0 && asked.stdout.trim() === 'no') {
    return warn(
      'clock',
      `${now}, not synchronised`,
      'timedatectl set-ntp true; jobs and certificates expire by this clock',
    );
  }
  return ok('clock', asked.exitCode === 0 ? `${now}, synchronised` : now);
}
