/** May the update take its next step now? The rules of owner, operator, product and clock, in one place. Pure. */
import type { UpdateRules } from '../../config/agent-config.ts';
import { isOpen, nextOpening, type Window } from '../../window/index.ts';
import { meteredObstacle } from './metered-link.ts';
import { waitLeftMs, type LimitSource } from './update-limit.ts';
import type { DeviceUpdateState, Update, Wait, WaitCode } from './update.ts';
import type { Instant } from './update-timer.ts';

/** What comes next: the first byte, the first write, the restart. */
export type Gate = 'download' | 'install' | 'reboot';

/** Somebody at the device has put updates off. */
export interface Deferral {
  untilMs: number;
  reason: string;
}

export interface GateFacts {
  now: Instant;
  source: LimitSource & { rules: UpdateRules };
  /** IANA; of this device. */
  zone: string | undefined;
  deferral: Deferral | undefined;
  /** Why a program of the product does not want the machine restarted. */
  rebootHold: string | undefined;
  grains: Readonly<Record<string, unknown>>;
}

export function needsApproval(
  { conduct, approvedAtMs, source }: Pick<Update, 'conduct' | 'approvedAtMs' | 'source'>,
  { approval }: Pick<UpdateRules, 'approval'>,
): boolean {
  return (
    source === undefined && approvedAtMs === undefined && (approval === 'required' || conduct?.needsApproval === true)
  );
}

/** Why not; undefined: now. The first that holds is told. */
export function judgeGate(gate: Gate, update: Update, facts: GateFacts): Wait | undefined {
  // Whoever brought the file stands at the device: only what runs on it may hold the restart up.
  if (update.source !== undefined) return gate === 'reboot' ? held(update, facts) : undefined;
  if (gate === 'download') return deferred(update, facts) ?? windowed(gate, update, facts) ?? metered(update, facts);
  if (gate === 'install') return unapproved(update, facts) ?? deferred(update, facts) ?? windowed(gate, update, facts);
  return held(update, facts) ?? deferred(update, facts) ?? windowed(gate, update, facts);
}

/** Begun downloads go on: putting an update off is about what disturbs. */
const deferrable: ReadonlySet<DeviceUpdateState> = new Set(['offered', 'verified', 'rebooting']);

function deferred(update: Update, { deferral, ...facts }: GateFacts): Wait | undefined {
  const { nowMs } = facts.now;
  if (deferral === undefined || nowMs >= deferral.untilMs || !deferrable.has(update.state)) return undefined;
  const left = leftOf(update, 'deferred', facts);
  if (left <= 0) return undefined;
  return { code: 'deferred', message: deferral.reason, untilMs: Math.min(deferral.untilMs, nowMs + left) };
}

function held(update: Update, { rebootHold, ...facts }: GateFacts): Wait | undefined {
  const left = leftOf(update, 'reboot-held', facts);
  if (rebootHold === undefined || left <= 0) return undefined;
  return { code: 'reboot-held', message: rebootHold, untilMs: facts.now.nowMs + left };
}

function unapproved(update: Update, facts: Pick<GateFacts, 'now' | 'source'>): Wait | undefined {
  if (!needsApproval(update, facts.source.rules)) return undefined;
  const untilMs = facts.now.nowMs + leftOf(update, 'needs-approval', facts);
  return { code: 'needs-approval', message: 'somebody at the device has to approve it', untilMs };
}

function windowed(gate: Gate, { conduct }: Update, { source, zone, now }: GateFacts): Wait | undefined {
  const { windows } = source.rules;
  const asked = { download: undefined, install: conduct?.installWindows, reboot: conduct?.rebootWindows }[gate];
  const closed = [windows[gate], asked ?? []].filter(
    (list) => list.length > 0 && !list.some((window) => isOpen(window, now.nowMs, zone)),
  );
  if (closed.length === 0) return undefined;
  const openings = closed.map((list) => firstOpening(list, now.nowMs, zone));
  const untilMs = openings.includes(undefined) ? undefined : Math.max(...(openings as number[]));
  const when = untilMs === undefined ? 'and none opens' : `until ${new Date(untilMs).toISOString()}`;
  return {
    code: `window-${gate}`,
    message: `its ${gate} window is closed ${when}`,
    ...(untilMs === undefined ? {} : { untilMs }),
  };
}

function firstOpening(list: readonly Window[], nowMs: number, zone: string | undefined): number | undefined {
  const openings = list.map((window) => nextOpening(window, nowMs, zone)).filter((at) => at !== undefined);
  return openings.length === 0 ? undefined : Math.min(...openings);
}

function metered(update: Update, { source, grains }: GateFacts): Wait | undefined {
  const rule = source.rules.metered;
  const message = rule === undefined ? undefined : meteredObstacle(update, rule, grains);
  return message === undefined ? undefined : { code: 'metered', message };
}

function leftOf(update: Update, code: WaitCode, { source, now }: Pick<GateFacts, 'source' | 'now'>): number {
  return waitLeftMs(update, code, source, now);
}
