/** Do the devices of a phase hold their connections as well as before, and as well as those that were not updated? */
import type { RolloutState } from './rollout-state.ts';
import type { TargetDevice } from './target-device.ts';

const hourMs = 3_600_000;
/** Fewer losses than that are chance. */
const minLost = 3;

export interface HealthVerdict {
  ok: boolean;
  /** With the numbers. */
  detail: string;
}

/** What is wrong; undefined: nothing, or nothing is asked. */
export function healthProblem(state: RolloutState, number: number, nowMs: number): string | undefined {
  return judgeHealth(state, number, nowMs).find(({ ok }) => !ok)?.detail;
}

/** Each thing that the gate of this phase asks of connections. Walks over all devices: the reducer asks once, when the soak is over. */
export function judgeHealth(state: RolloutState, number: number, nowMs: number): HealthVerdict[] {
  const { connected, lostConnections } = state.document.phases[number]?.gate ?? {};
  if (connected === undefined && lostConnections === undefined) return [];
  const proven: TargetDevice[] = [];
  const others: TargetDevice[] = [];
  let provenOnline = 0;
  let othersOnline = 0;
  for (let position = 0; position < state.devices.length; position += 1) {
    const device = state.devices.at(position);
    const online = Number(state.online.at(position));
    if (device.phase === number && device.state === 'committed') {
      proven.push(device);
      provenOnline += online;
    } else if (device.attempts === 0 && (device.state === 'waiting' || device.state === 'queued')) {
      others.push(device);
      othersOnline += online;
    }
  }
  if (proven.length === 0) return [];
  const groups = { proven, others, provenOnline, othersOnline };
  return [
    ...(connected === undefined ? [] : [judgeConnected(groups, connected)]),
    ...(lostConnections === undefined ? [] : [judgeLosses(state, groups, lostConnections, nowMs)]),
  ];
}

interface Groups {
  proven: readonly TargetDevice[];
  others: readonly TargetDevice[];
  provenOnline: number;
  othersOnline: number;
}

function judgeConnected({ proven, others, provenOnline, othersOnline }: Groups, connected: number): HealthVerdict {
  // Each of them was connected when it was offered the update.
  const baseline = others.length === 0 ? 1 : othersOnline / others.length;
  const share = provenOnline / proven.length;
  const than =
    others.length === 0
      ? 'of those that were offered it'
      : `of the ${percent(baseline)} of those that were not updated`;
  return {
    ok: share >= connected * baseline,
    detail: `${provenOnline} of ${proven.length} proven devices are connected (${percent(share)}); at least ${percent(connected)} ${than} must be`,
  };
}

function judgeLosses(
  { document: { startedAtMs } }: RolloutState,
  { proven, others }: Groups,
  times: number,
  nowMs: number,
): HealthVerdict {
  const lost = sum(proven, (device) => device.lost?.after ?? 0);
  const after = lost / hours(sum(proven, ({ sinceMs }) => nowMs - sinceMs));
  const before =
    sum(proven, (device) => device.lost?.before ?? 0) /
    hours(sum(proven, ({ entered, sinceMs }) => (entered?.['offered'] ?? sinceMs) - startedAtMs));
  const control = sum(others, (device) => device.lost?.before ?? 0) / hours(others.length * (nowMs - startedAtMs));
  const each = (rate: number) => `${Math.round(rate * 100) / 100}`;
  return {
    ok: lost < minLost || after <= times * Math.max(before, control),
    detail: `${proven.length} proven devices lost ${each(after)} connections an hour each; ${each(before)} before, and ${each(control)} those that were not updated: at most ${times} times as many`,
  };
}

/** Never nothing: a rate of no time is no rate. */
function hours(ms: number): number {
  return Math.max(ms, 1) / hourMs;
}

function sum(devices: readonly TargetDevice[], of: (device: TargetDevice) => number): number {
  return devices.reduce((all, device) => all + of(device), 0);
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
