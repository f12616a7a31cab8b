import type { Schedule, ScheduleRequest, ScheduleTimes } from '../../client/contract/schedule.ts';
import { FlotillaError } from '../../error.ts';
import { putSchedule, removeSchedule as dropSchedule } from '../core/schedule-operation.ts';
import type { Turn } from '../core/turn.ts';
import { confirmRule, requireSize, requireWork } from '../job/plan-job.ts';
import { nextTime, readTrigger } from '../schedule/next-time.ts';
import { pause, resume } from '../schedule/reduce-schedule.ts';
import { viewSchedule, type ScheduleDocument } from '../schedule/schedule-document.ts';
import { audit, type ServiceContext } from './context.ts';
import { requireContent } from './require-content.ts';
import { countAccepted, matchAccepted } from './target.ts';

const defaultTimes = 5;

/** The rules on the number of devices are asked now, too: what would be refused at once is not put off. */
export async function addSchedule(context: ServiceContext, request: ScheduleRequest): Promise<Schedule> {
  if (request.dryRun !== true) await requireContent(context, request.job.action);
  return context.core.submit((turn) => {
    const { state, nowMs } = turn;
    if (state.schedules.has(request.name)) {
      throw new FlotillaError('refused', 'schedule-exists', `there is a schedule ${request.name} already`, {
        suggestion: `flotilla schedule remove ${request.name}, or take another name`,
      });
    }
    const trigger = readTrigger(request.trigger, nowMs);
    requireWork(request.job);
    const matched = matchAccepted(turn, request.job.selector).length;
    const fleet = countAccepted(state);
    const expect = request.expect === undefined ? {} : { expect: request.expect };
    const rule = confirmRule(request.job.action, context.jobs);
    requireSize('job', { ...request.job, ...expect }, matched, fleet, rule);
    const nextAtMs = nextTime(trigger, nowMs);
    const document: ScheduleDocument = {
      name: request.name,
      state: 'active',
      trigger,
      missed: request.missed,
      overlap: request.overlap ?? 'skip',
      job: request.job,
      expected: { matched, fleet },
      createdBy: context.actor,
      createdAtMs: nowMs,
      ...(nextAtMs === undefined ? {} : { nextAtMs }),
      firings: [],
    };
    if (request.dryRun === true) return viewSchedule(document);
    putSchedule(turn, document);
    const { selector, action } = request.job;
    audit(turn, context, 'schedule.add', request.name, { trigger, selector, action, matched, fleet });
    return viewSchedule(document);
  });
}

export function listSchedules({ core }: ServiceContext): Promise<Schedule[]> {
  return core.submit(({ state }) => [...state.schedules.values()].map(viewSchedule));
}

export function showSchedule({ core }: ServiceContext, name: string): Promise<Schedule> {
  return core.submit((turn) => viewSchedule(scheduleOf(turn, name)));
}

/** Also of a paused one: when it would be due. */
export function nextTimes({ core }: ServiceContext, name: string, count = defaultTimes): Promise<ScheduleTimes> {
  return core.submit((turn) => {
    const { trigger } = scheduleOf(turn, name);
    const timesMs: number[] = [];
    for (
      let at = nextTime(trigger, turn.nowMs);
      at !== undefined && timesMs.length < count;
      at = nextTime(trigger, at)
    ) {
      timesMs.push(at);
    }
    return { name, zone: trigger.kind === 'cron' ? trigger.zone : 'UTC', timesMs };
  });
}

/** One that is so already is returned as it is. */
export function changeSchedule(context: ServiceContext, name: string, verb: 'pause' | 'resume'): Promise<Schedule> {
  return context.core.submit((turn) => {
    const before = scheduleOf(turn, name);
    if (before.state === 'done') {
      throw new FlotillaError('refused', 'schedule-done', `the schedule ${name} will not fire any more`, {
        suggestion: `flotilla schedule show ${name}`,
      });
    }
    const document = verb === 'pause' ? pause(before) : resume(before, turn.nowMs);
    if (document === before) return viewSchedule(before);
    putSchedule(turn, document);
    audit(turn, context, `schedule.${verb}`, name, {});
    return viewSchedule(document);
  });
}

/** Jobs that it has started go on. */
export function removeSchedule(context: ServiceContext, name: string): Promise<{ removed: string }> {
  return context.core.submit((turn) => {
    const { job } = scheduleOf(turn, name);
    dropSchedule(turn, name);
    audit(turn, context, 'schedule.remove', name, { selector: job.selector, action: job.action });
    return { removed: name };
  });
}

function scheduleOf({ state }: Turn, name: string): ScheduleDocument {
  const document = state.schedules.get(name);
  if (document !== undefined) return document;
  throw new FlotillaError('usage', 'schedule-unknown', `there is no schedule ${name}`, {
    seen: name,
    suggestion: 'flotilla schedule list',
  });
}
