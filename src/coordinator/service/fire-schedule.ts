import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { isServed } from '../core/core-state.ts';
import { putSchedule } from '../core/schedule-operation.ts';
import type { Turn } from '../core/turn.ts';
import { isAtWork } from '../job/at-work.ts';
import { meetOverlap, takeDue } from '../schedule/reduce-schedule.ts';
import { withFiring, type ScheduleDocument } from '../schedule/schedule-document.ts';
import { auditRule } from '../audit/write-audit.ts';
import type { ServiceContext } from './context.ts';
import { beginJob } from './job-service.ts';
import { matchAccepted } from './target.ts';

type JobContext = Pick<ServiceContext, 'newId' | 'jobs' | 'random' | 'returners'>;

/** How late a firing may be at most, beside what the load adds. */
const lookEveryMs = 500;

/** Looks for what is due, for ever; returns what ends it. */
export function fireSchedules(context: ServiceContext, log: Log): () => void {
  const { core, clock } = context;
  let cancel: (() => void) | undefined;
  let ended = false;
  const look = (): void => {
    if (ended) return;
    cancel = clock.schedule(lookEveryMs, look);
    const nowMs = clock.nowMs();
    const isDue = [...core.state.schedules.values()].some(
      ({ nextAtMs = Infinity, waiting }) => nextAtMs <= nowMs || waiting !== undefined,
    );
    if (!isDue) return;
    core
      .submit((turn) => fireDue(turn, context))
      .catch((error) => log.error({ err: error }, 'the schedules could not be carried out'));
  };
  look();
  return () => {
    ended = true;
    cancel?.();
  };
}

/** Everything that is due at this turn; each in the commit that also moves its schedule on. */
export function fireDue(turn: Turn, context: JobContext): void {
  for (const document of turn.state.schedules.values()) {
    const taken = takeDue(document, turn.nowMs);
    if (taken === undefined && document.waiting === undefined) continue;
    const due = meetOverlap(taken ?? { document }, busyJob(turn, document.name), turn.nowMs);
    if (due.document !== document) putSchedule(turn, due.document);
    if (due.fire !== undefined) fire(turn, context, due.document, due.fire.dueAtMs);
  }
}

/** A job of this schedule that devices work on. */
export function busyJob({ state }: Turn, name: string): string | undefined {
  for (const [id, job] of state.jobs) {
    if (job.document.schedule === name && isAtWork(job, (deviceId) => isServed(state, deviceId))) return id;
  }
  return undefined;
}

/** A job, or the reason why there is none; never an error for the next schedule. */
function fire(turn: Turn, context: JobContext, document: ScheduleDocument, dueAtMs: number): void {
  const { name } = document;
  const mark = turn.mark();
  const at = { dueAtMs, firedAtMs: turn.nowMs };
  try {
    const job = start(turn, context, document);
    putSchedule(turn, withFiring(document, { ...at, outcome: 'started', jobId: job.id }));
  } catch (error) {
    turn.rollback(mark);
    const { code, message, seen } = reasonOf(error);
    const refusal = { code, message, ...(seen === undefined ? {} : { seen }) };
    putSchedule(turn, withFiring(document, { ...at, outcome: 'refused', error: refusal }));
    auditRule(turn, `schedule:${name}`, {
      action: 'schedule.fire',
      subject: name,
      detail: { dueAtMs, ...refusal },
      result: 'refused',
      code,
    });
  }
}

function start(turn: Turn, context: JobContext, document: ScheduleDocument) {
  const { name, job, expected, createdBy } = document;
  requireOperator(turn, createdBy);
  const matched = matchAccepted(turn, job.selector);
  // What was confirmed is a share of the fleet: it may grow with the fleet, and not beyond.
  const confirmedShare = expected.matched / expected.fleet;
  const caller = {
    actor: createdBy,
    role: turn.state.operators.get(operatorName(createdBy) ?? '')?.role ?? ('admin' as const),
    from: `schedule ${name}`,
    via: 'socket' as const,
  };
  return beginJob(
    turn,
    {
      ...caller,
      newId: context.newId,
      random: context.random,
      returners: context.returners,
      jobs: context.jobs,
    },
    { request: job, matched, action: 'job.start', origin: { schedule: name }, confirmedShare },
  );
}

/** Who may act no more does not act by a schedule either. */
function requireOperator({ state }: Turn, createdBy: string): void {
  const name = operatorName(createdBy);
  if (name === undefined) return;
  const operator = state.operators.get(name);
  if (operator !== undefined && operator.revokedAtMs === undefined) return;
  throw new FlotillaError('forbidden', 'schedule-operator', 'the operator who made the schedule was revoked', {
    seen: createdBy,
    suggestion: 'make the schedule anew',
  });
}

function operatorName(actor: string): string | undefined {
  return actor.startsWith('operator:') ? actor.slice('operator:'.length) : undefined;
}

function reasonOf(error: unknown): { code: string; message: string; seen?: string | undefined } {
  if (error instanceof FlotillaError) return { code: error.code, message: error.message, seen: error.detail.seen };
  return { code: 'not-carried-out', message: error instanceof Error ? error.message : String(error) };
}
