import type { JobFollowRow } from '../../client/contract/job.ts';
import type { MemberRow } from '../../store/index.ts';
import type { JobDevice, JobDocument } from '../job/job-state.ts';
import { viewJob, viewResult } from '../job/view-job.ts';
import type { ServiceContext } from './context.ts';
import { unknownJob } from './job-service.ts';
import { GlimpseRoom, type OutputGlimpse } from './output-glimpse.ts';
import { Mailbox } from './mailbox.ts';

type News = { member: MemberRow } | { document: JobDocument } | { glimpse: OutputGlimpse };

/**
 * Every device that has left `waiting`, then each change, at last the finished job. Listening begins before the stored
 * rows are read, so nothing falls between them. @throws FlotillaError before the first row when there is no such job
 */
export async function followJob(
  { core }: ServiceContext,
  id: string,
  { output = false, signal }: { output?: boolean; signal: AbortSignal },
): Promise<AsyncGenerator<JobFollowRow>> {
  const news = new Mailbox<News>(merge);
  const glimpses = new GlimpseRoom();
  const unsubscribe = core.subscribe((change) => {
    if (change.kind === 'job-device' && change.member.parentId === id) {
      news.put(`device ${change.member.position}`, { member: change.member });
    } else if (change.kind === 'job' && change.document.id === id) news.put('job', { document: change.document });
    else if (output && change.kind === 'job-output' && change.event.jobId === id) {
      const { deviceId, event } = change;
      if (glimpses.enter(event)) news.put(`output ${deviceId}`, { glimpse: { deviceId, events: [event] } });
    }
  });
  signal.addEventListener('abort', () => news.close(), { once: true });
  try {
    const row = await core.store.document('job', id);
    if (row === undefined) throw unknownJob(id);
    const members = await core.store.members('job', id, true);
    return rows(row.document as JobDocument, members, { news, glimpses, unsubscribe, signal });
  } catch (error) {
    unsubscribe();
    throw error;
  }
}

async function* rows(
  document: JobDocument,
  members: MemberRow[],
  {
    news,
    glimpses,
    unsubscribe,
    signal,
  }: { news: Mailbox<News>; glimpses: GlimpseRoom; unsubscribe: () => void; signal: AbortSignal },
): AsyncGenerator<JobFollowRow> {
  const shown = new Map<string, string>();
  function* show(member: MemberRow): Generator<JobFollowRow> {
    const { state, outcome, late, lostAtMs } = member.document as JobDevice;
    const mark = `${state} ${outcome ?? ''} ${late === true} ${lostAtMs !== undefined}`;
    if (state === 'waiting' || shown.get(member.deviceId) === mark) return;
    shown.set(member.deviceId, mark);
    yield { kind: 'result', result: viewResult(member) };
  }
  try {
    for (const member of members) yield* show(member);
    let job = document;
    while (job.state !== 'finished') {
      const taken = signal.aborted ? undefined : await news.take();
      if (taken === undefined) return;
      for (const item of taken.values()) {
        if ('member' in item) yield* show(item.member);
        else if ('glimpse' in item) for (const output of glimpses.leave(item.glimpse)) yield { kind: 'output', output };
        else job = item.document;
      }
    }
    yield { kind: 'job', job: viewJob(job) };
  } finally {
    unsubscribe();
  }
}

/** Of the output only the write that brought it has it; glimpses follow each other. */
function merge(older: News, newer: News): News {
  if ('glimpse' in older && 'glimpse' in newer) {
    const { deviceId, events } = older.glimpse;
    return { glimpse: { deviceId, events: [...events, ...newer.glimpse.events] } };
  }
  if (!('member' in older) || !('member' in newer) || newer.member.output !== undefined) return newer;
  return { member: { ...newer.member, ...(older.member.output === undefined ? {} : { output: older.member.output }) } };
}
