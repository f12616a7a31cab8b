/** What devices do of themselves: they take offers, work through them as the agent does, restart, come and go. */
import type { RolloutInput } from '../coordinator/rollout/reduce-rollout.ts';
import type { StepReport } from '../coordinator/rollout/step-report.ts';
import type { UpdateState, UpdateWait } from '../protocol/event.ts';
import { isOpen as isWindowOpen, nextOpening, type Window } from '../window/index.ts';
import type { FleetBehaviour } from './behaviour.ts';
import type { Chance } from './chance.ts';
import type { SimulatedDevice, Step } from './simulated-device.ts';
import type { StepWork } from './step-work.ts';
import { drawStretch, type Stretch } from './stretch.ts';

export type DeviceDue =
  | { kind: 'step'; device: SimulatedDevice; turn: number }
  | { kind: 'link'; device: SimulatedDevice }
  | { kind: 'inbox'; device: SimulatedDevice }
  /** Nobody waits for this try any longer. */
  | { kind: 'give-up'; device: SimulatedDevice; attempt: number };

/** The world around the devices. */
export interface Stage {
  readonly nowMs: number;
  feed(input: RolloutInput): void;
  later(atMs: number, due: DeviceDue): void;
  /** The rollout has not finished with it. */
  isOpen(device: SimulatedDevice): boolean;
  /** Its time limit may have changed. */
  watch(device: SimulatedDevice): void;
}

/** Later the update runs to its end. */
const cancellable: readonly Step[] = ['offered', 'downloading', 'verified'];

export class DeviceLife {
  readonly #stage: Stage;
  readonly #takes: FleetBehaviour['takes'];
  readonly #chance: Chance;
  readonly #work: StepWork | undefined;

  constructor(
    stage: Stage,
    { takes, chance, work }: { takes: FleetBehaviour['takes']; chance: Chance; work: StepWork | undefined },
  ) {
    this.#stage = stage;
    this.#work = work;
    this.#takes = takes;
    this.#chance = chance;
  }

  read(device: SimulatedDevice): void {
    if (!device.isConnected) return;
    for (const asked of device.inbox.splice(0)) {
      if (asked.kind === 'step') this.#beginStep(device, asked.attempt);
      else if (asked.kind === 'cancel-step') this.#cancelStep(device);
      else if (asked.kind === 'offer') {
        if (device.step === 'idle' && this.#stage.nowMs < asked.offer.expiresAtMs) this.#begin(device, asked.offer);
      } else if (cancellable.includes(device.step)) {
        this.#rest(device);
        this.#say(device, 'cancelled');
      }
    }
  }

  #begin(device: SimulatedDevice, offer: Parameters<SimulatedDevice['begin']>[0]): void {
    device.begin(offer);
    this.#say(device, 'offered');
    const { deferral } = device.behaviour;
    const putOffMs = deferral === undefined ? 0 : drawStretch(deferral, this.#chance);
    if (putOffMs > 0) {
      const wait = {
        code: 'deferred',
        message: 'as the model of the fleet says',
        untilMs: this.#stage.nowMs + putOffMs,
      };
      this.#say(device, 'offered', wait);
    }
    this.#enter(device, 'offered', this.#draw(this.#takes.answer) + putOffMs);
  }

  /** The step is over: what comes next, as in the agent's updater. */
  advance(device: SimulatedDevice): void {
    const { failure } = device.behaviour;
    switch (device.step) {
      case 'idle':
        return;
      case 'offered':
        if (failure?.as === 'rejected') return this.#end(device, 'rejected');
        this.#say(device, 'downloading');
        this.#enter(device, 'downloading', this.#draw(this.#takes.download));
        if (!device.isConnected) this.#holdDownload(device);
        return;
      case 'downloading':
        this.#say(device, 'verified');
        return this.#atWindow(device, 'verified', device.offer?.conduct?.installWindows);
      case 'verified':
        this.#say(device, 'installing');
        return this.#enter(device, 'installing', this.#draw(this.#takes.install));
      case 'installing':
        if (failure?.as === 'failed') return this.#end(device, 'failed');
        device.installed(this.#stage.nowMs);
        this.#say(device, 'rebooting');
        return this.#atWindow(device, 'installed', device.offer?.conduct?.rebootWindows);
      case 'installed':
        return this.#restart(device, 'rebooting');
      case 'rebooting':
        if (failure?.as === 'silent') return this.#rest(device);
        this.#boot(device);
        this.#say(device, 'testing');
        return this.#enter(device, 'testing', this.#draw(this.#takes.test));
      case 'testing':
        if (failure?.as === 'rolled-back') return this.#restart(device, 'reverting');
        return this.#end(device, 'committed');
      case 'reverting':
        this.#boot(device);
        return this.#end(device, 'rolled-back');
      case 'asked':
        if (failure?.as === 'rejected') return this.#endStep(device, { state: 'rejected' });
        this.#report(device, { state: 'running' });
        return this.#enter(device, 'running', this.#draw(this.#takes.run));
      case 'running':
        if (failure?.as === 'silent') return this.#enter(device, 'hanging', this.#work?.hangsMs ?? Infinity);
        if (failure !== undefined) return this.#endStep(device, { state: 'failed', ...this.#work?.failure });
        return this.#finishStep(device);
      case 'hanging':
        return this.#endStep(device, { state: 'timed-out' });
    }
  }

  #beginStep(device: SimulatedDevice, attempt: number): void {
    device.attempt = attempt;
    this.#enter(device, 'asked', this.#draw(this.#takes.answer));
    const { givesUpMs = Infinity } = this.#work ?? {};
    if (Number.isFinite(givesUpMs))
      this.#stage.later(this.#stage.nowMs + givesUpMs, { kind: 'give-up', device, attempt });
  }

  #cancelStep(device: SimulatedDevice): void {
    if (device.step === 'asked' || (device.step === 'running' && this.#work?.canStop === true))
      this.#endStep(device, { state: 'cancelled' });
  }

  /** It has done it: where a new session has to prove it, it begins one. */
  #finishStep(device: SimulatedDevice): void {
    if (this.#work?.proof === 'word') return this.#endStep(device, { state: 'committed' });
    this.#rest(device);
    device.renew(this.#stage.nowMs);
    if (!device.isConnected) return;
    device.isOn = false;
    this.#presence(device);
    device.isOn = true;
    this.#connected(device);
  }

  #endStep(device: SimulatedDevice, report: Omit<StepReport, 'attempt'>): void {
    this.#rest(device);
    const { failure } = device.behaviour;
    const reason =
      failure === undefined ? {} : { reason: { code: failure.reason, message: 'as the model of the fleet says' } };
    this.#report(device, { ...report, ...(report.state === 'committed' ? {} : reason) });
    if (device.inbox.length > 0) this.#stage.later(this.#stage.nowMs, { kind: 'inbox', device });
  }

  #report(device: SimulatedDevice, report: Omit<StepReport, 'attempt'>): void {
    this.#tell(device, { kind: 'step', deviceId: device.id, report: { ...report, attempt: device.attempt } });
  }

  giveUp(device: SimulatedDevice, attempt: number): void {
    const report: StepReport = {
      attempt,
      state: 'unknown',
      reason: { code: 'job-unknown', message: 'its end is not known' },
    };
    this.#stage.feed({ kind: 'step', deviceId: device.id, report });
  }

  #tell(device: SimulatedDevice, input: RolloutInput): void {
    if (device.isConnected) this.#stage.feed(input);
    else device.outbox.push(input);
  }

  /** The device keeps to windows by itself, and says that it waits for one. */
  #atWindow(device: SimulatedDevice, step: 'verified' | 'installed', windows: readonly Window[] = []): void {
    const { zone } = device;
    const nowMs = this.#stage.nowMs;
    if (windows.length === 0 || windows.some((window) => isWindowOpen(window, nowMs, zone)))
      return this.#enter(device, step, 0);
    const untilMs = Math.min(...windows.map((window) => nextOpening(window, nowMs, zone) ?? Infinity));
    const wait = { code: 'window', message: 'a window of the policy is closed' };
    const known = Number.isFinite(untilMs) ? { ...wait, untilMs } : wait;
    this.#say(device, step === 'verified' ? 'verified' : 'rebooting', known);
    this.#enter(device, step, untilMs - nowMs);
  }

  #enter(device: SimulatedDevice, step: Step, lengthMs: number): void {
    device.step = step;
    device.turn += 1;
    device.stepEndsMs = this.#stage.nowMs + lengthMs;
    device.leftMs = undefined;
    if (Number.isFinite(lengthMs)) this.#stage.later(device.stepEndsMs, { kind: 'step', device, turn: device.turn });
  }

  #rest(device: SimulatedDevice): void {
    this.#enter(device, 'idle', Infinity);
  }

  #end(device: SimulatedDevice, state: UpdateState): void {
    this.#rest(device);
    this.#say(device, state);
    if (device.inbox.length > 0) this.#stage.later(this.#stage.nowMs, { kind: 'inbox', device });
  }

  #restart(device: SimulatedDevice, step: Step): void {
    const wasConnected = device.isConnected;
    device.isOn = false;
    if (wasConnected) this.#presence(device);
    this.#enter(device, step, this.#draw(this.#takes.reboot));
  }

  #boot(device: SimulatedDevice): void {
    device.boot(this.#stage.nowMs);
    device.isOn = true;
    if (device.hasLink) this.#connected(device);
  }

  #connected(device: SimulatedDevice): void {
    device.told = device.running;
    this.#presence(device);
    for (const input of device.outbox.splice(0)) this.#stage.feed(input);
    this.read(device);
  }

  #presence(device: SimulatedDevice): void {
    device.sinceMs = this.#stage.nowMs;
    this.#stage.feed({ kind: 'presence', deviceId: device.id });
    this.#stage.watch(device);
  }

  #say(device: SimulatedDevice, state: UpdateState, wait?: UpdateWait): void {
    const event = { ...device.says(state, this.#stage.nowMs), ...(wait === undefined ? {} : { wait }) };
    this.#tell(device, { kind: 'update', deviceId: device.id, event });
  }

  scheduleLink(device: SimulatedDevice): void {
    const { awayFor, flapping } = device.behaviour;
    const stretch = device.isAbsent ? awayFor : device.hasLink ? flapping?.up : flapping?.down;
    if (stretch === undefined) return;
    const lengthMs = Math.max(1, drawStretch(stretch, this.#chance));
    if (Number.isFinite(lengthMs)) this.#stage.later(this.#stage.nowMs + lengthMs, { kind: 'link', device });
  }

  startFlapping(device: SimulatedDevice): void {
    device.isFlapping = true;
    this.scheduleLink(device);
  }

  changeLink(device: SimulatedDevice): void {
    device.hasLink = !device.hasLink;
    device.isAbsent = false;
    if (device.isOn) {
      if (device.hasLink) {
        this.#connected(device);
        this.#resumeDownload(device);
      } else {
        this.#presence(device);
        this.#holdDownload(device);
      }
    }
    // A link that nobody looks at any more need not go on flapping.
    device.isFlapping = this.#stage.isOpen(device) || device.step !== 'idle' || !device.hasLink;
    if (device.isFlapping) this.scheduleLink(device);
  }

  #holdDownload(device: SimulatedDevice): void {
    if (device.step !== 'downloading' || device.leftMs !== undefined) return;
    device.leftMs = Math.max(0, device.stepEndsMs - this.#stage.nowMs);
    device.turn += 1;
  }

  #resumeDownload(device: SimulatedDevice): void {
    if (device.step === 'downloading' && device.leftMs !== undefined) {
      this.#enter(device, 'downloading', device.leftMs);
    }
  }

  #draw(stretch: Stretch): number {
    return drawStretch(stretch, this.#chance);
  }
}
