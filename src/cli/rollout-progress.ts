import type { Rollout, RolloutDevice, RolloutFollowRow } from '../client/contract/index.ts';
import { failureStates, inFlightStates } from '../client/contract/rollout-device-state.ts';

/** How far back the rate looks. */
const windowMs = 10 * 60_000;

const provenStates: readonly string[] = ['committed', 'already'];
const openStates: readonly string[] = ['waiting', 'queued', ...inFlightStates];

/** Where the devices of a phase stand. */
export interface PhaseProgress {
  size: number;
  state: string;
  proven: number;
  failed: number;
  updating: number;
  /** Rejected or cancelled. */
  other: number;
}

export interface FailureGroup {
  state: string;
  code: string;
  devices: string[];
}

/** A rollout and its devices as they are known now: what a live picture is made of. */
export class RolloutProgress {
  #rollout: Rollout;
  readonly #devices = new Map<string, RolloutDevice>();

  constructor(rollout: Rollout) {
    this.#rollout = rollout;
    for (const device of rollout.devices ?? []) this.#devices.set(device.deviceId, device);
  }

  get rollout(): Rollout {
    return this.#rollout;
  }

  take(row: RolloutFollowRow): void {
    if (row.kind === 'rollout') this.#rollout = row.rollout;
    else this.#devices.set(row.device.deviceId, row.device);
  }

  phases(): PhaseProgress[] {
    const phases = this.#rollout.phases.map(({ size, state }) => ({
      size,
      state,
      proven: 0,
      failed: 0,
      updating: 0,
      other: 0,
    }));
    for (const { phase, state } of this.#devices.values()) {
      const sum = phases[phase];
      if (sum === undefined) continue;
      if (provenStates.includes(state)) sum.proven += 1;
      else if (failureStates.includes(state)) sum.failed += 1;
      else if (inFlightStates.includes(state)) sum.updating += 1;
      else if (!openStates.includes(state)) sum.other += 1;
    }
    return phases;
  }

  /** Those that ended without success, by cause; the most first. */
  failures(): FailureGroup[] {
    const groups = new Map<string, FailureGroup>();
    for (const { deviceId, state, reason } of this.#devices.values()) {
      if (openStates.includes(state) || provenStates.includes(state)) continue;
      const code = reason?.code ?? state;
      const group = groups.get(`${state} ${code}`) ?? { state, code, devices: [] };
      group.devices.push(deviceId);
      groups.set(`${state} ${code}`, group);
    }
    return [...groups.values()].toSorted((a, b) => b.devices.length - a.devices.length);
  }

  /** Devices that ended in the last minutes, by the minute; undefined before the first one. */
  perMinute(nowMs: number): number | undefined {
    const fromMs = Math.max(this.#rollout.startedAtMs, nowMs - windowMs);
    let ended = 0;
    for (const { state, sinceMs } of this.#devices.values()) {
      if (!openStates.includes(state) && sinceMs >= fromMs) ended += 1;
    }
    return ended === 0 ? undefined : ended / Math.max(1 / 60, (nowMs - fromMs) / 60_000);
  }

  /** Milliseconds until everybody has ended if it goes on like this; nothing is known of soaks and of those that are away. */
  leftMs(nowMs: number): number | undefined {
    const rate = this.perMinute(nowMs);
    if (rate === undefined || this.#rollout.state !== 'running') return undefined;
    let open = 0;
    for (const { state } of this.#devices.values()) if (openStates.includes(state)) open += 1;
    return open === 0 ? undefined : (open / rate) * 60_000;
  }
}
