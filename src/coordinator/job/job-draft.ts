import { jobOutcomes, type JobEvent, type JobOutcome } from '../../protocol/event.ts';
import { contentOf, type ConfigAction } from '../../protocol/job-action.ts';
import type { ConfigFate } from '../config/config-fate.ts';
import type { Effect } from '../effect.ts';
import { ValueMissing } from './argument-template.ts';
import { decidedHere, finished, isFailure, unsettled } from './device-end.ts';
import type { JobFacts } from './job-input.ts';
import { endOf, outputOf, restoreOf, type JobOutput } from './job-report.ts';
import { resultEvent } from './job-result.ts';
import { cancelRequest, followRequest, formOf, jobRequest, needsRun } from './job-request.ts';
import { earliestEndMs, isSilent, overdue } from './job-timer.ts';
import { addDevice, countName, moved, type JobDevice, type JobState } from './job-state.ts';

/** Queued or further, and not finished. */
export const underWay = ['queued', 'delivered', 'started', 'holding'] as const;

/**
 * Devices that start in one turn: a turn is one commit, and nothing leaves before it. In parts, the first ones have
 * answered before the last ones are asked.
 */
const maxStarts = 256;

/** The new state and the effects while one input is carried out; never outlives it. */
export class JobDraft {
  state: JobState;
  readonly effects: Effect[] = [];
  readonly facts: JobFacts;
  readonly nowMs: number;
  /** Of `state.document`, once it is this draft's own. */
  #counts: Record<string, number> | undefined;

  constructor(state: JobState, facts: JobFacts, nowMs: number) {
    this.state = state;
    this.facts = facts;
    this.nowMs = nowMs;
  }

  device(deviceId: string): JobDevice | undefined {
    const position = this.state.index.get(deviceId);
    return position === undefined ? undefined : this.state.devices.at(position);
  }

  /** Replaces a device that is in one of these states; anything else is no news. */
  change(
    deviceId: string,
    from: readonly JobDevice['state'][],
    next: (device: JobDevice) => JobDevice,
    output?: JobOutput,
  ): void {
    const position = this.state.index.get(deviceId);
    if (position === undefined) return;
    const before = this.state.devices.at(position);
    if (!from.includes(before.state)) return;
    const after = next(before);
    const [left, to] = [countName(before), countName(after)];
    if (left !== to) this.#count(left, to);
    const { document, dueAtMs } = this.state;
    this.state = {
      ...this.state,
      devices: this.state.devices.with(position, after),
      dueAtMs: Math.min(dueAtMs, earliestEndMs(document, after)),
    };
    if (document.window > 0) this.#trackWork(before, after);
    const member = { parentId: this.state.document.id, position, deviceId, document: after };
    this.effects.push({ kind: 'member', member: output === undefined ? member : { ...member, output } });
    if (after.state !== 'finished' || before.state === 'finished') return;
    const event = resultEvent(this.state.document, deviceId, position, countName(after));
    if (event !== undefined) this.effects.push(event);
    this.#countFailure(after);
  }

  found(deviceId: string): void {
    this.change(deviceId, ['started', 'holding'], ({ lostAtMs: _, ...device }) => device);
  }

  /** Perhaps its `started` is still on the way, on another lane. */
  heard(deviceId: string, startedAtMs: number): void {
    this.change(deviceId, ['queued', 'delivered', 'started'], ({ lostAtMs: _, ...device }) => ({
      ...device,
      ...(device.state === 'started' ? {} : { state: 'started', atMs: this.nowMs, startedAtMs }),
      heardAtMs: this.nowMs,
    }));
  }

  result(deviceId: string, event: JobEvent): void {
    const device = this.device(deviceId);
    if (device === undefined || device.state === 'waiting') return;
    if (event.state === 'started') {
      this.change(deviceId, ['queued', 'delivered'], (before) => ({
        ...before,
        state: 'started',
        atMs: this.nowMs,
        startedAtMs: event.startedAtMs ?? this.nowMs,
      }));
      return;
    }
    const output = outputOf(event);
    if (event.state === 'held') {
      const { returnsAtMs } = event;
      this.change(
        deviceId,
        ['queued', 'delivered', 'started'],
        (before) => ({
          ...before,
          ...endOf(event),
          state: 'holding',
          atMs: this.nowMs,
          outcome: event.outcome ?? 'unknown',
          ...(event.reason === undefined ? {} : { reason: event.reason }),
          ...(returnsAtMs === undefined ? {} : { returnsAtMs }),
        }),
        output,
      );
      return;
    }
    if (device.state === 'finished') {
      if (device.late === true || !decidedHere(device)) return;
      const told = `later the device reported: ${event.outcome ?? 'unknown'}`;
      const reason = device.reason === undefined ? told : `${device.reason}; ${told}`;
      this.change(deviceId, ['finished'], (before) => ({ ...before, reason, late: true }), output);
      return;
    }
    this.change(
      deviceId,
      underWay,
      (before) => ({
        ...finished(before, event.outcome ?? 'unknown', event.finishedAtMs ?? this.nowMs, event.reason),
        atMs: this.nowMs,
        ...endOf(event),
        ...restoreOf(event),
      }),
      output,
    );
  }

  /** The coordinator stops waiting for a device: what was not sent is taken back, what was is told to stop. */
  end(deviceId: string, outcome: JobOutcome, reason: string): void {
    const device = this.device(deviceId);
    if (device === undefined || device.state === 'finished') return;
    this.change(deviceId, ['waiting', ...underWay], (before) => finished(before, outcome, this.nowMs, reason));
    if (device.state === 'waiting' || this.setsConfig) return;
    this.#withdraw(deviceId);
    if (device.state !== 'queued' || device.wasSent === true) this.#requestCancel(deviceId);
  }

  stop(reason: string): void {
    if (this.state.document.stopped !== undefined) return;
    this.state = { ...this.state, document: { ...this.state.document, stopped: reason } };
    for (const device of this.state.devices) {
      const untouched = device.state === 'waiting' || (device.state === 'queued' && device.wasSent !== true);
      if (untouched) this.end(device.deviceId, 'cancelled', reason);
      // On the device, and its turn in the ramp has not come.
      else if (device.state !== 'finished' && (device.startAtMs ?? 0) > this.nowMs)
        this.#requestCancel(device.deviceId);
    }
  }

  /** A rollout has come to this device. */
  begin(deviceId: string, expiresAtMs: number): void {
    if (!this.state.index.has(deviceId))
      this.state = addDevice(this.state, { deviceId, state: 'waiting', atMs: this.nowMs });
    if (this.device(deviceId)?.state !== 'waiting') return;
    const { document } = this.state;
    this.state = { ...this.state, document: { ...document, expiresAtMs: Math.max(document.expiresAtMs, expiresAtMs) } };
    this.change(deviceId, ['waiting'], (device) => ({ ...device, expiresAtMs }));
    this.#start(deviceId);
  }

  /** What was never sent ends here; a document that was sent can't be called back. */
  cancelDevice(deviceId: string, reason: string): void {
    const device = this.device(deviceId);
    if (device === undefined || device.state === 'finished') return;
    if (device.wasSent !== true) this.end(deviceId, 'cancelled', reason);
    else if (!this.setsConfig) this.#requestCancel(deviceId);
  }

  /** The rollout is over: whoever had no turn gets none. */
  close(): void {
    const { rollout } = this.state.document;
    if (rollout === undefined) return;
    const { open: _, ...closed } = rollout;
    this.state = { ...this.state, document: { ...this.state.document, rollout: closed } };
    for (const { deviceId, state } of this.state.devices) {
      if (state === 'waiting') this.end(deviceId, 'cancelled', 'the rollout ended before its turn came');
    }
  }

  /** A document that is on its way, or on the device, can't be called back: its end is told as ever. */
  cancelRunning(): void {
    if (this.setsConfig) return;
    for (const { deviceId, state } of this.state.devices) {
      if (state !== 'finished' && state !== 'waiting') this.#requestCancel(deviceId);
    }
  }

  /** Nobody is looked at before the first of them can be late: a tick of a large job costs nothing. */
  endOverdue(): void {
    if (this.nowMs < this.state.dueAtMs) return;
    this.state = { ...this.state, dueAtMs: Number.POSITIVE_INFINITY };
    for (const device of this.state.devices) {
      if (device.state === 'finished') continue;
      const end = overdue(this.state.document, device, this.facts.connected(device.deviceId), this.nowMs);
      if (end !== undefined) this.end(device.deviceId, end.outcome, this.setsConfig ? unsettled(end) : end.reason);
      else {
        const dueAtMs = Math.min(this.state.dueAtMs, earliestEndMs(this.state.document, device));
        this.state = { ...this.state, dueAtMs };
      }
    }
  }

  /** Also those that have begun: they tell from where they are. */
  followAll(): void {
    if (this.state.document.follow === true) return;
    this.state = { ...this.state, document: { ...this.state.document, follow: true } };
    for (const { deviceId, state } of this.state.devices) {
      if (state === 'queued' || state === 'delivered' || state === 'started') this.#requestOutput(deviceId);
    }
  }

  lookAgainAt(deviceId: string): void {
    const position = this.state.index.get(deviceId);
    if (position === undefined || position >= this.state.scanFrom) return;
    this.state = { ...this.state, scanFrom: position };
  }

  /**
   * Starts waiting devices while there is room. Without a window everybody is queued, also who is away. With one, only
   * connected devices take a place, so that a dead one never holds up the others. A document is set on connected devices
   * alone: what expired or was cancelled before was never set.
   */
  fillWindow(): void {
    const { window, stopped, rollout } = this.state.document;
    const { waiting = 0 } = this.state.document.counts;
    if (stopped !== undefined || waiting === 0 || rollout !== undefined) return;
    const room = window === 0 ? Number.POSITIVE_INFINITY : window - this.#inFlight();
    let left = Math.min(room, maxStarts);
    const needsLink = window > 0 || this.setsConfig;
    let position = this.state.scanFrom;
    for (; left > 0 && position < this.state.devices.length; position += 1) {
      const { deviceId, state } = this.state.devices.at(position);
      if (state !== 'waiting' || (needsLink && !this.facts.connected(deviceId))) continue;
      if (this.setsConfig && this.facts.takesConfig(deviceId) === undefined) continue;
      this.#start(deviceId);
      left -= 1;
    }
    const moreToCome = room > maxStarts && left === 0 && position < this.state.devices.length;
    if (moreToCome) this.effects.push({ kind: 'more', jobId: this.state.document.id });
    this.state = { ...this.state, scanFrom: position, moreToCome };
  }

  finishWhenDone(): void {
    const { counts, state, rollout } = this.state.document;
    if (rollout?.open === true) return;
    const open = ['waiting', ...underWay].reduce((sum, name) => sum + (counts[name] ?? 0), 0);
    if (open > 0 || state === 'finished') return;
    this.state = { ...this.state, document: { ...this.state.document, state: 'finished', finishedAtMs: this.nowMs } };
  }

  /** What has become of the document that this job has set on a device. */
  takeFate(deviceId: string, fate: ConfigFate): void {
    const { nowMs: atMs } = this;
    if ('reached' in fate) this.change(deviceId, ['queued'], (device) => ({ ...device, state: 'delivered', atMs }));
    else this.change(deviceId, ['queued', 'delivered'], (device) => finished(device, fate.outcome, atMs, fate.reason));
  }

  get setsConfig(): boolean {
    return this.state.document.action.kind === 'config';
  }

  #start(deviceId: string): void {
    const { action } = this.state.document;
    if (action.kind === 'config') return this.#setConfig(deviceId, action);
    this.change(deviceId, ['waiting'], (device) => ({ ...device, state: 'queued', atMs: this.nowMs }));
    try {
      const valueOf = (key: string) => this.facts.value(deviceId, key);
      const request = jobRequest({ ...this.state.document, action }, this.device(deviceId)!, valueOf);
      const content = contentOf(action);
      // First: the device asks for it as soon as it has the request.
      if (content !== undefined) this.effects.push({ kind: 'grant', deviceId, sha256: content.sha256 });
      this.effects.push({ kind: 'request', deviceId, request });
      if (this.state.document.follow === true) this.#requestOutput(deviceId);
      this.refuseOld(deviceId);
    } catch (error) {
      if (!(error instanceof ValueMissing)) throw error;
      this.end(deviceId, 'rejected', error.message);
    }
  }

  #setConfig(deviceId: string, { name, document }: ConfigAction): void {
    if (this.facts.takesConfig(deviceId) === false) {
      return this.end(deviceId, 'rejected', 'agent too old: it does not take settings');
    }
    const sent = { state: 'queued', atMs: this.nowMs, sentAtMs: this.nowMs, wasSent: true } as const;
    this.change(deviceId, ['waiting'], (device) => ({ ...device, ...sent }));
    const { id: jobId, submittedBy: by } = this.state.document;
    this.effects.push({ kind: 'set-config', deviceId, jobId, name, document, by });
  }

  /** An agent that can't take this job is not waited for: it would not know it when it comes back either. */
  refuseOld(deviceId: string): void {
    const device = this.device(deviceId);
    if (device?.state !== 'queued' || device.wasSent === true) return;
    if (!needsRun(this.state.document) || this.facts.takesRun(deviceId) !== false) return;
    this.end(deviceId, 'rejected', `agent too old: it does not take ${formOf(this.state.document)}`);
  }

  #withdraw(deviceId: string): void {
    const { document } = this.state;
    const type = needsRun(document) ? 'job.run' : 'job.start';
    this.effects.push({ kind: 'withdraw', deviceId, type, key: document.id });
    if (document.follow === true)
      this.effects.push({ kind: 'withdraw', deviceId, type: 'job.follow', key: document.id });
  }

  /** Behind the job itself, so that the device knows it. An older agent tells its output with the result alone. */
  #requestOutput(deviceId: string): void {
    if (this.facts.takesFollow(deviceId) === false) return;
    this.effects.push({ kind: 'request', deviceId, request: followRequest(this.state.document) });
  }

  #requestCancel(deviceId: string): void {
    this.effects.push({ kind: 'request', deviceId, request: cancelRequest(this.state.document, this.nowMs) });
  }

  #inFlight(): number {
    let count = 0;
    for (const deviceId of this.state.working) {
      const device = this.device(deviceId)!;
      if (isSilent(device, this.facts.takesRun(deviceId) === true, this.nowMs)) continue;
      if (this.facts.connected(deviceId) || device.state === 'started') count += 1;
    }
    return count;
  }

  /** The document is copied once for each input, however many devices it moves. */
  #count(from: string, to: string): void {
    const before = this.#counts;
    const counts = moved(before ?? { ...this.state.document.counts }, from, to);
    if (counts === before) return;
    this.#counts = counts;
    this.state = { ...this.state, document: { ...this.state.document, counts } };
  }

  #trackWork(before: JobDevice, after: JobDevice): void {
    if (before.state !== 'waiting' && after.state !== 'finished') return;
    const working = new Set(this.state.working);
    if (after.state === 'finished') working.delete(after.deviceId);
    else working.add(after.deviceId);
    this.state = { ...this.state, working };
  }

  #countFailure(device: JobDevice): void {
    const { maxFailures, counts } = this.state.document;
    if (maxFailures === 0 || !isFailure(device.outcome)) return;
    const failures = jobOutcomes.filter(isFailure).reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);
    if (failures >= maxFailures) this.stop(`stopped after ${failures} failure${failures === 1 ? '' : 's'}`);
  }
}
