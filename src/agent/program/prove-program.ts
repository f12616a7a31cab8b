import type { Clock } from '../../clock.ts';
import type { HealthResult } from '../../protocol/event.ts';
import type { Link } from '../link/port.ts';
import type { UpdateReason } from '../updater/update.ts';
import { linkIsLive, sleep } from '../wait.ts';

export interface ProofOption {
  link: Pick<Link, 'status' | 'onChange'>;
  clock: Clock;
  /** When this process began, by the monotonic clock: what it has taken to start counts. */
  startedAtMs: number;
  /** What was made of the database so far. @throws when it can't be written */
  probeDatabase(): void;
  proveSeconds: number;
  soakSeconds: number;
  signal: AbortSignal;
}

export type Proof = { health: HealthResult[]; coordinatorReached: boolean; reason?: UpdateReason };

/**
 * A program proves itself by what it was sent for: it has started, writes its database, and keeps a link to the
 * coordinator; all of it within its time.
 */
export async function proveProgram(option: ProofOption): Promise<Proof> {
  const { link, clock, startedAtMs, proveSeconds, soakSeconds, signal } = option;
  const spentMs = (): number => clock.monotonicMs() - startedAtMs;
  const health: HealthResult[] = [{ name: 'start', ok: true, durationMs: Math.round(spentMs()) }];
  const began = clock.monotonicMs();
  try {
    option.probeDatabase();
    health.push({ name: 'database', ok: true, durationMs: Math.round(clock.monotonicMs() - began) });
  } catch (error) {
    const output = (error instanceof Error ? error.message : String(error)).slice(0, 512);
    health.push({ name: 'database', ok: false, durationMs: Math.round(clock.monotonicMs() - began), output });
    return { health, coordinatorReached: false, reason: { code: 'database-unusable', message: output } };
  }
  const askedMs = clock.monotonicMs();
  const coordinator = (ok: boolean) => ({
    name: 'coordinator',
    ok,
    durationMs: Math.round(clock.monotonicMs() - askedMs),
  });
  for (;;) {
    const leftMs = proveSeconds * 1_000 - spentMs();
    const isLive = leftMs > 0 && (await linkIsLive(link, clock, { timeoutMs: leftMs, signal }));
    if (!isLive) break;
    if (await staysLive(option, soakSeconds * 1_000, signal))
      return { health: [...health, coordinator(true)], coordinatorReached: true };
  }
  const message = `it had no link to the coordinator that lasted ${soakSeconds} s within ${proveSeconds} s of its start`;
  return {
    health: [...health, coordinator(false)],
    coordinatorReached: false,
    reason: { code: 'no-coordinator', message },
  };
}

async function staysLive({ link, clock }: ProofOption, soakMs: number, signal: AbortSignal): Promise<boolean> {
  let broke = false;
  const unsubscribe = link.onChange(({ state }) => (broke ||= state !== 'live'));
  try {
    await sleep(clock, soakMs, signal);
    return !broke && link.status().state === 'live';
  } finally {
    unsubscribe();
  }
}
