import { contentOf } from '../../protocol/job-action.ts';
import type { JobFacts, JobInput } from '../job/job-input.ts';
import { reduceJob } from '../job/reduce-job.ts';
import { factValue } from '../job/fact-value.ts';
import type { JobDevice, JobState } from '../job/job-state.ts';
import type { Effect } from '../effect.ts';
import { jobStep } from '../rollout/job-step.ts';
import { isServed, takesRequest, type CoreState } from './core-state.ts';
import { stepRollout } from './rollout-operation.ts';
import { takeEffects } from './take-effect.ts';
import type { Turn } from './turn.ts';

/** Finished jobs that stay in memory, so that what a device tells late is noted with them. */
const maxFinishedJobs = 32;

/** Stores a new job with all its devices and starts it. */
export function openJob(turn: Turn, job: JobState): void {
  turn.set(turn.state.jobs, job.document.id, job);
  putDocument(turn, job);
  for (const [position, device] of [...job.devices].entries()) {
    const member = { parentId: job.document.id, position, deviceId: device.deviceId, document: device };
    turn.write({ kind: 'job-device', member });
  }
  stepJob(turn, job.document.id, { kind: 'open' });
}

export function stepJob(turn: Turn, jobId: string, input: JobInput): void {
  const before = turn.state.jobs.get(jobId);
  if (before === undefined) return;
  if ('deviceId' in input && input.kind !== 'start' && !before.index.has(input.deviceId)) return;
  const { state, effects } = reduceJob(before, input, new StateFacts(turn.state), turn.nowMs);
  if (state === before && effects.length === 0) return;
  turn.set(turn.state.jobs, jobId, state);
  takeEffects(turn, 'job-device', effects);
  tellRollout(turn, state, effects);
  if (state.document !== before.document) putDocument(turn, state);
  if (state.document.state === 'finished' && before.document.state !== 'finished') forgetOldest(turn);
}

/** What the state says of a device. */
class StateFacts implements JobFacts {
  readonly #state: CoreState;

  constructor(state: CoreState) {
    this.#state = state;
  }

  connected(deviceId: string): boolean {
    return isServed(this.#state, deviceId);
  }

  takesRun(deviceId: string): boolean | undefined {
    return takesRequest(this.#state, deviceId, 'job.run');
  }

  takesConfig(deviceId: string): boolean | undefined {
    return takesRequest(this.#state, deviceId, 'config.desired');
  }

  takesFollow(deviceId: string): boolean | undefined {
    return takesRequest(this.#state, deviceId, 'job.follow');
  }

  value(deviceId: string, key: string): unknown {
    const device = this.#state.devices.get(deviceId);
    return device === undefined ? undefined : factValue(key, device);
  }
}

/** The rollout whose action it is hears of each device. */
function tellRollout(turn: Turn, { document }: JobState, effects: readonly Effect[]): void {
  if (document.rollout === undefined) return;
  for (const effect of effects) {
    if (effect.kind !== 'member') continue;
    const report = jobStep(document, effect.member.document as JobDevice);
    const { deviceId } = effect.member;
    if (report !== undefined) stepRollout(turn, document.rollout.id, { kind: 'step', deviceId, report });
  }
}

function putDocument(turn: Turn, { document }: JobState): void {
  const { id, state, submittedAtMs } = document;
  turn.write({ kind: 'job', job: { id, active: state === 'running', startedAtMs: submittedAtMs, document } });
  turn.notify({ kind: 'job', document });
}

function forgetOldest(turn: Turn): void {
  const finished = [...turn.state.jobs.values()].filter(({ document }) => document.state === 'finished');
  for (const { document } of finished.slice(0, Math.max(0, finished.length - maxFinishedJobs))) {
    turn.delete(turn.state.jobs, document.id);
  }
}

/** Contents of jobs that the device may fetch now. */
export function jobContents(state: CoreState, deviceId: string): string[] {
  return [...state.jobs.values()].flatMap(({ document, devices, index }) => {
    const content = contentOf(document.action);
    const position = content === undefined ? undefined : index.get(deviceId);
    if (content === undefined || position === undefined) return [];
    const { state: reached } = devices.at(position);
    return reached === 'queued' || reached === 'delivered' ? [content.sha256] : [];
  });
}
