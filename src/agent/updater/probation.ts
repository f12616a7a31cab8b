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
  link: Pick<Link, 'status' | 'onChange'>;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Does the booted slot hold what was signed, reach the coordinator, pass the product's checks, and still do both after
 * the soak? Any no is the end of the new slot.
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
    .map(({ name, exitCode }) => (exitCode === undefined ? name : `${name} (exit ${exitCode})`));
  return `health check failed: ${failed.join(', ')}`;
}
