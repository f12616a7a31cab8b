/** How long a state, or a wait, may last; and what happens when it has. Pure. */
import type { UpdateLimits, UpdateRules } from '../../config/agent-config.ts';
import type { UpdateHappening } from './transition.ts';
import { fileOf, isTerminal, type DeviceUpdateState, type Update, type WaitCode } from './update.ts';
import { timerAt, type Instant } from './update-timer.ts';

/** What a limit is made of, beside the owner's own numbers. */
export interface LimitSource {
  rules: Pick<UpdateRules, 'limits' | 'download' | 'hooks'>;
  /** What a test takes by itself: soak, connect, checks. */
  testSeconds: number;
  /** What one try of the reboot command may take. */
  rebootSeconds: number;
}

type LiveState = Exclude<DeviceUpdateState, 'committed' | 'rolled-back' | 'failed' | 'rejected' | 'cancelled'>;

const limitNames: Readonly<Record<LiveState, keyof UpdateLimits>> = {
  offered: 'offeredSeconds',
  downloading: 'downloadingSeconds',
  verified: 'verifiedSeconds',
  installing: 'installingSeconds',
  rebooting: 'rebootingSeconds',
  testing: 'testingSeconds',
  reverting: 'revertingSeconds',
};

/** Of one limit: nobody here decides when these end. */
const waitedOut: readonly WaitCode[] = ['window-download', 'window-install', 'window-reboot', 'metered'];

/** Bytes a second that the download may take; undefined: no limit. The lower of two holds. */
export function rateOf(
  { conduct, source }: Pick<Update, 'conduct' | 'source'>,
  rules: Pick<UpdateRules, 'download'>,
): number | undefined {
  if (source !== undefined) return undefined; // it takes nothing of the link
  const rates = [rules.download.maxBytesPerSecond, conduct?.maxBytesPerSecond].filter((rate) => rate !== undefined);
  return rates.length === 0 ? undefined : Math.min(...rates);
}

/** Seconds that the update may be put off in all. */
export function deferLimitSeconds({ conduct }: Pick<Update, 'conduct'>, { limits }: Pick<UpdateRules, 'limits'>) {
  return Math.min(limits.deferSeconds, conduct?.deferLimitSeconds ?? Infinity);
}

export function stateLimitMs(update: Update, { rules, testSeconds, rebootSeconds }: LimitSource): number {
  const { state } = update;
  if (isTerminal(state)) return Infinity;
  const own = rules.limits[limitNames[state as LiveState]];
  const rate = rateOf(update, rules);
  const beside =
    state === 'downloading' && rate !== undefined
      ? (2 * fileOf(update).sizeBytes) / rate
      : state === 'testing'
        ? testSeconds
        : state === 'rebooting' || state === 'reverting'
          ? rebootSeconds
          : 0;
  return 1_000 * (own + beside);
}

/** What a wait of this kind may last in the whole update. */
export function waitLimitMs(update: Update, code: WaitCode, { rules }: Pick<LimitSource, 'rules'>): number {
  const { limits, hooks } = rules;
  switch (code) {
    case 'deferred':
      return 1_000 * deferLimitSeconds(update, rules);
    case 'needs-approval':
      return 1_000 * limits.approvalSeconds;
    case 'reboot-held':
      return 1_000 * limits.rebootHoldSeconds;
    case 'hook-retry':
      return 1_000 * hooks.retryLimitSeconds;
    default:
      return 1_000 * limits.waitSeconds;
  }
}

/** What is left of it. */
export function waitLeftMs(update: Update, code: WaitCode, source: LimitSource, now: Instant): number {
  const { waitedMs } = timerAt(update, now);
  const codes = waitedOut.includes(code) ? waitedOut : [code];
  const total = codes.reduce((sum, each) => sum + (waitedMs[each] ?? 0), 0);
  return waitLimitMs(update, code, source) - total;
}

/** Until `overdue` has something to say. Never for a deferral: once it is over, it just does not hold any more. */
export function leftMs(update: Update, source: LimitSource, now: Instant): number {
  if (update.wait !== undefined) return waitLeftMs(update, update.wait.code, source, now);
  return stateLimitMs(update, source) - timerAt(update, now).spentMs;
}

/** What has to happen because it took too long; undefined: it may go on, or on waiting. */
export function overdue(update: Update, source: LimitSource, now: Instant): UpdateHappening | undefined {
  const { wait } = update;
  if (isTerminal(update.state) || leftMs(update, source, now) > 0) return undefined;
  if (wait === undefined) return { type: 'timed-out', limitSeconds: Math.round(stateLimitMs(update, source) / 1_000) };
  const limitSeconds = Math.round(waitLimitMs(update, wait.code, source) / 1_000);
  if (wait.code === 'needs-approval') {
    const message = `nobody has approved it within ${limitSeconds} s`;
    return { type: 'refused', reason: { code: 'not-approved', message } };
  }
  return waitedOut.includes(wait.code) ? { type: 'waited-out', limitSeconds } : undefined;
}
