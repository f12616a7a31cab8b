import { statfs } from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import type { HealthResult, Running } from '../../protocol/event.ts';
import type { Link } from '../link/port.ts';
import { imagesMatch } from '../slot/read-back.ts';
import { linkIsLive, sleep } from '../wait.ts';
import { runHealthChecks, type HealthCheck } from './health-check.ts';
import type { UpdateHappening } from './transition.ts';
import type { SlotImage } from './update.ts';

export type NoCoordinator = 'revert' | 'keep';

export interface ProbationOption {
  running: Running;
  destination: string;
  /** What the booted slot must hold; absent when the bundle's text does not say. */
  images: readonly SlotImage[] | undefined;
  checks: readonly HealthCheck[];
  soakSeconds: number;
  connectTimeoutSeconds: number;
  /** What a slot is worth that passes all else and does not reach the coordinator in that time. */
  noCoordinator?: NoCoordinator;
  /** On the data partition. */
  directory: string;
  link: Pick<Link, 'status' | 'onChange'>;
  clock: Clock;
  signal: AbortSignal;
}

/** With less than this a device forgets what it measures, and can't take the next update. */
const minFreeBytes = 65_536;

/**
 * Does the booted slot hold what was signed, reach the coordinator, pass the product's checks, still do both after the
 * soak, and leave room on the data partition? Any no is the end of the new slot.
 */
export async function testSlot(option: ProbationOption): Promise<UpdateHappening> {
  const { running, destination, images, checks, soakSeconds, clock, signal } = option;
  const slotDigestMatches = images === undefined ? undefined : await imagesMatch(destination, images, signal);
  const known = slotDigestMatches === undefined ? {} : { slotDigestMatches };
  const fail = (code: string, message: string, health: HealthResult[] = []): UpdateHappening => ({
    type: 'test-failed',
    reason: { code, message },
    health,
    ...known,
  });
  if (slotDigestMatches === false) {
    return fail('slot-digest', `the bytes of slot ${running.slot ?? '?'} are not those of the bundle`);
  }
  let health = await runHealthChecks(checks, signal);
  if (!passed(health)) return fail('health-check', failureText(health), health);
  const keeps = option.noCoordinator === 'keep';
  let reached = await connected(option);
  if (!reached && !keeps) return fail('not-connected', notConnected(option), health);
  if (soakSeconds > 0) {
    await sleep(clock, soakSeconds * 1_000, signal);
    health = await runHealthChecks(checks, signal);
    if (!passed(health)) return fail('health-check', `after the soak: ${failureText(health)}`, health);
    // One that was reached and is lost again after the soak is no device that is out of reach.
    const still = reached || !keeps ? await connected(option) : isLive(option);
    if (reached && !still) return fail('not-connected', `after the soak: ${notConnected(option)}`, health);
    reached = still;
  }
  const { bavail, bsize } = await statfs(option.directory);
  if (bavail * bsize < minFreeBytes) {
    return fail('no-room', `the data partition is full: ${bavail * bsize} bytes are free`, health);
  }
  return { type: 'proven', after: running, health, coordinatorReached: reached, ...known };
}

function connected({ link, clock, connectTimeoutSeconds, signal }: ProbationOption): Promise<boolean> {
  return linkIsLive(link, clock, { timeoutMs: connectTimeoutSeconds * 1_000, signal });
}

function isLive({ link }: ProbationOption): boolean {
  return link.status().state === 'live';
}

function notConnected({ link, connectTimeoutSeconds }: ProbationOption): string {
  const { state, reason } = link.status();
  return `the coordinator was not reached within ${connectTimeoutSeconds} s (${state}${reason === undefined ? '' : `: ${reason}`})`;
}

const passed = (health: readonly HealthResult[]): boolean => health.every(({ ok }) => ok);

function failureText(health: readonly HealthResult[]): string {
  const failed = health
    .filter(({ ok }) => !ok)
    .map(({ name, exitCode, output }) => `${name} (${exitCode === undefined ? lastLine(output) : `exit ${exitCode}`})`);
  return `health check failed: ${failed.join(', ')}`;
}

/** Of a check without an exit code: why it has none stands at the end. */
function lastLine(output = 'no exit code'): string {
  return output.trimEnd().split('\n').at(-1)!.slice(0, 120);
}
