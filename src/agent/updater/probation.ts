import { statfs } from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import type { ProductHealthConfig } from '../../config/agent-config.ts';
import type { HealthResult, Running } from '../../protocol/event.ts';
import type { Link } from '../link/port.ts';
import { imagesMatch } from '../slot/read-back.ts';
import { linkIsLive, sleep } from '../wait.ts';
import { runHealthChecks, type HealthCheck } from './health-check.ts';
import type { HealthVerdict, ProductHealth } from './product-health.ts';
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
  /** The product's own word is waited for; a bad one counts in any case. */
  product?: ProductHealthConfig | undefined;
  productHealth: Pick<ProductHealth, 'verdict' | 'onReport'>;
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
  const { running, destination, images, checks, soakSeconds, signal } = option;
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
  const keeps = option.noCoordinator === 'keep';
  let reached: boolean | undefined;
  const judge = async (when: string): Promise<UpdateHappening | HealthResult[]> => {
    const health = await runHealthChecks(checks, signal);
    const word = await productWord(option, reached === undefined);
    if (word) health.push(word);
    if (!passed(health)) return fail('health-check', `${when}${failureText(health)}`, health);
    const still = reached === false && keeps ? isLive(option) : await connected(option);
    // Under `keep`, too: one that was reached and is lost again after the soak is no device that is out of reach.
    if (!still && (reached === true || !keeps)) {
      return fail('not-connected', `${when}${notConnected(option)}`, health);
    }
    reached = still;
    return health;
  };
  let health = await judge('');
  if (Array.isArray(health) && soakSeconds > 0) {
    await soak(option);
    health = await judge('after the soak: ');
  }
  if (!Array.isArray(health)) return health;
  const { bavail, bsize } = await statfs(option.directory);
  if (bavail * bsize < minFreeBytes) {
    return fail('no-room', `the data partition is full: ${bavail * bsize} bytes are free`, health);
  }
  return { type: 'proven', after: running, health, coordinatorReached: reached === true, ...known };
}

/** What the product says of itself, as one more check; waited for once, where the owner wants it. Undefined: it need not say. */
async function productWord(
  { product, productHealth, clock, signal }: ProbationOption,
  isFirst: boolean,
): Promise<HealthResult | undefined> {
  const startMs = clock.monotonicMs();
  if (isFirst && product !== undefined && productHealth.verdict === undefined) {
    await wordOrTime(productHealth, { clock, signal, forMs: product.timeoutSeconds * 1_000 });
  }
  const { verdict } = productHealth;
  const durationMs = Math.round(clock.monotonicMs() - startMs);
  if (verdict !== undefined) {
    const output = verdict.reason?.slice(0, 1_024);
    return { name: 'product', ok: verdict.ok, durationMs, ...(output === undefined ? {} : { output }) };
  }
  if (product === undefined) return undefined;
  const output = `the product said nothing within ${product.timeoutSeconds} s`;
  return { name: 'product', ok: product.missing === 'ok', durationMs, output };
}

/** Ends early when the product says that it is not well. */
async function soak({ productHealth, soakSeconds, clock, signal }: ProbationOption): Promise<void> {
  const untilMs = clock.monotonicMs() + soakSeconds * 1_000;
  for (;;) {
    const forMs = untilMs - clock.monotonicMs();
    if (forMs <= 0 || productHealth.verdict?.ok === false) return;
    await wordOrTime(productHealth, { clock, signal, forMs });
  }
}

async function wordOrTime(
  productHealth: { verdict: HealthVerdict | undefined } & Pick<ProductHealth, 'onReport'>,
  { clock, signal, forMs }: { clock: Clock; signal: AbortSignal; forMs: number },
): Promise<void> {
  const spoken = new AbortController();
  const unsubscribe = productHealth.onReport(() => spoken.abort());
  try {
    await sleep(clock, forMs, AbortSignal.any([signal, spoken.signal]));
  } catch {
    signal.throwIfAborted();
  } finally {
    unsubscribe();
  }
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
