/** All that can be said of a rollout, from what the store holds of it: also when it ended long ago. */
import type { RolloutCause, RolloutReport, Spread } from '../../client/contract/rollout-report.ts';
import type { RolloutDocument } from './rollout-state.ts';
import { isFailure, isOpen, isSuccess, type TargetDevice } from './target-device.ts';
import { viewRollout, viewTarget } from './view-rollout.ts';

const maxProgressPoints = 200;

export function reportRollout(
  document: RolloutDocument,
  devices: readonly TargetDevice[],
  nowMs: number,
): RolloutReport {
  const endMs = document.endedAtMs ?? nowMs;
  return {
    version: 1,
    atMs: nowMs,
    rollout: viewRollout(document),
    durationMs: Math.max(0, endMs - document.startedAtMs),
    targets: devices.length,
    touched: count(devices, ({ attempts }) => attempts > 0),
    succeeded: count(devices, ({ state }) => isSuccess(state)),
    failed: count(devices, isFailure),
    phases: phasesOf(document, devices),
    timeline: [...(document.history ?? [])],
    causes: causesOf(devices),
    bytes: bytesOf(document, devices),
    durations: durationsOf(devices),
    progress: progressOf(document, devices),
    devices: devices.map(viewTarget),
  };
}

function phasesOf(
  { phases, history = [] }: RolloutDocument,
  devices: readonly TargetDevice[],
): RolloutReport['phases'] {
  const counts = phases.map((): Record<string, number> => ({}));
  for (const { phase, state } of devices) {
    const sum = counts[phase];
    if (sum !== undefined) sum[state] = (sum[state] ?? 0) + 1;
  }
  return phases.map(({ size, state }, phase) => {
    const own = history.filter((milestone) => milestone.phase === phase);
    const startedAtMs = own.find((milestone) => milestone.state === 'running')?.atMs;
    const endedAtMs =
      state === 'passed' || state === 'failed'
        ? own.findLast((milestone) => milestone.state === state)?.atMs
        : undefined;
    return {
      size,
      state,
      ...(startedAtMs === undefined ? {} : { startedAtMs }),
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
      counts: counts[phase]!,
    };
  });
}

/** Of those that ended without success; the most frequent first. */
function causesOf(devices: readonly TargetDevice[]): RolloutCause[] {
  const causes = new Map<string, RolloutCause>();
  for (const { deviceId, state, reason } of devices) {
    if (isOpen(state) || isSuccess(state)) continue;
    const code = reason?.code ?? state;
    const key = `${state} ${code}`;
    const known = causes.get(key) ?? { state, code, message: reason?.message ?? '', count: 0, devices: [] };
    known.count += 1;
    known.devices.push(deviceId);
    causes.set(key, known);
  }
  return [...causes.values()].toSorted((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
}

function bytesOf({ bundle }: RolloutDocument, devices: readonly TargetDevice[]): RolloutReport['bytes'] {
  const wholeBytes = bundle?.sizeBytes ?? 0;
  const sum = { fetchedBytes: 0, withoutDeltaBytes: 0, wholeDevices: 0, deltaDevices: 0, deltaFailed: 0 };
  for (const { evidence, progressBytes = 0 } of devices) {
    const fetched = evidence?.downloadedBytes ?? progressBytes;
    if (fetched === 0) continue;
    const isDelta = evidence?.deltaFrom !== undefined;
    sum.fetchedBytes += fetched;
    sum.withoutDeltaBytes += isDelta ? wholeBytes : fetched;
    sum[isDelta ? 'deltaDevices' : 'wholeDevices'] += 1;
    if (evidence?.deltaFailed !== undefined) sum.deltaFailed += 1;
  }
  return { bundleBytes: wholeBytes, ...sum };
}

function durationsOf(devices: readonly TargetDevice[]): RolloutReport['durations'] {
  const lengths = new Map<string, number[]>();
  const add = (name: string, ms: number): void => {
    const known = lengths.get(name);
    if (known === undefined) lengths.set(name, [ms]);
    else known.push(ms);
  };
  for (const { entered, state } of devices) {
    const offeredMs = entered?.offered;
    if (entered === undefined || offeredMs === undefined) continue;
    const steps = Object.entries(entered).toSorted(([, a], [, b]) => a - b);
    for (const [index, [name, fromMs]] of steps.entries()) {
      const toMs = steps[index + 1]?.[1];
      if (toMs !== undefined) add(name, toMs - fromMs);
    }
    const endMs = entered[state];
    if (!isOpen(state) && endMs !== undefined) add('whole', endMs - offeredMs);
  }
  return Object.fromEntries([...lengths].map(([name, list]) => [name, spreadOf(list)]));
}

function spreadOf(list: number[]): Spread {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: at(1) };
}

/** Each end of a device is a step; of many, every n-th is shown, and the last one. */
function progressOf({ startedAtMs }: RolloutDocument, devices: readonly TargetDevice[]): RolloutReport['progress'] {
  const ends = devices
    .filter((device) => isSuccess(device.state) || isFailure(device))
    .map((device) => ({ atMs: device.sinceMs, isSuccess: isSuccess(device.state) }))
    .toSorted((a, b) => a.atMs - b.atMs);
  const every = Math.max(1, Math.ceil(ends.length / (maxProgressPoints - 2)));
  const points: RolloutReport['progress'] = [{ atMs: startedAtMs, succeeded: 0, failed: 0 }];
  let succeeded = 0;
  let failed = 0;
  for (const [index, end] of ends.entries()) {
    if (end.isSuccess) succeeded += 1;
    else failed += 1;
    if ((index + 1) % every === 0 || index === ends.length - 1) points.push({ atMs: end.atMs, succeeded, failed });
  }
  return points;
}

function count(devices: readonly TargetDevice[], test: (device: TargetDevice) => boolean): number {
  return devices.reduce((sum, device) => sum + (test(device) ? 1 : 0), 0);
}
