import { randomUUID } from 'node:crypto';
import type { Settlement } from '../../client/contract/consumer.ts';
import type { StoredEvent } from '../../client/contract/event.ts';
import type { Log } from '../../log.ts';
import type { JobDocument } from '../job/job-state.ts';
import { jobResultType, type JobResultPayload } from '../job/job-result.ts';
import { viewJob, viewResult } from '../job/view-job.ts';
import { NotReturned, type ReturnedResult, type Returner } from '../returner/returner.ts';
import { streamHandler } from './consumer-stream.ts';
import { settleRows } from './consumer-service.ts';
import type { ServiceContext } from './context.ts';

/** Deliveries that are written down together; until then an end of the process repeats them. */
const maxUnsettled = 50;
const settleEveryMs = 100;
const restartMs = 1_000;

/**
 * Brings the results of the log to a returner, for ever. It is a consumer like any other: its place in the log outlives
 * every crash, what fails is tried again with pauses, and what keeps failing becomes a dead letter. Returns what ends it.
 */
export function returnResults(
  context: ServiceContext,
  { name, returner, timeoutMs, log }: { name: string; returner: Returner; timeoutMs: number; log: Log },
): () => Promise<void> {
  const ended = new AbortController();
  const running = (async () => {
    while (!ended.signal.aborted) {
      try {
        await follow(context, { name, returner, timeoutMs, signal: ended.signal });
      } catch (error) {
        log.error({ returner: name, err: error }, 'results could not be returned');
      }
      if (!ended.signal.aborted) await pause(context, ended.signal);
    }
    returner.close?.();
  })();
  return async () => {
    ended.abort();
    await running;
  };
}

/** Of the consumer that keeps its place. */
export const consumerOfReturner = (name: string): string => `returner.${name}`;

async function follow(
  context: ServiceContext,
  { name, returner, timeoutMs, signal }: { name: string; returner: Returner; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const consumer = consumerOfReturner(name);
  const session = randomUUID();
  const lastOffset = await context.core.submit(({ state }) => state.counters.get('offset') ?? 0);
  const query = { session, type: jobResultType, from: lastOffset + 1 };
  let unsettled: Settlement[] = [];
  let cancel: (() => void) | undefined;
  const settle = async (): Promise<void> => {
    cancel?.();
    cancel = undefined;
    const results = unsettled;
    unsettled = [];
    if (results.length === 0) return;
    returner.sync?.();
    await settleRows(context, consumer, { session, results });
  };
  let lost: unknown;
  try {
    for await (const row of await streamHandler(context, consumer, query, signal)) {
      if (lost !== undefined) throw lost;
      if (row.kind !== 'event') continue;
      const place = { offset: row.event.offset, ...(row.letter === undefined ? {} : { letter: row.letter }) };
      unsettled.push(await deliver(context, { name, returner, timeoutMs, signal }, row.event, place));
      if (unsettled.length >= maxUnsettled) await settle();
      else cancel ??= context.clock.schedule(settleEveryMs, () => void settle().catch((error) => (lost = error)));
    }
  } finally {
    await settle().catch(() => undefined); // what is not written down is delivered once more
  }
}

async function deliver(
  context: ServiceContext,
  { name, returner, timeoutMs, signal }: { name: string; returner: Returner; timeoutMs: number; signal: AbortSignal },
  event: StoredEvent,
  place: { offset: number; letter?: number },
): Promise<Settlement> {
  const payload = event.payload as JobResultPayload;
  if (!payload.returners.includes(name)) return { kind: 'done', ...place };
  const result = await resultOf(context, event.deviceId, payload);
  if (result === undefined) return { kind: 'done', ...place };
  try {
    await returner.deliver(result, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    return { kind: 'done', ...place };
  } catch (error) {
    // Taken back at the end of this process: that was no attempt.
    if (signal.aborted) return { kind: 'released', ...place };
    const text = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', ...place, error: text, retry: !(error instanceof NotReturned) || error.retry };
  }
}

/** As it is stored now; undefined when the job is gone. */
async function resultOf(
  { core, fleetId }: ServiceContext,
  deviceId: string,
  { jobId, position }: JobResultPayload,
): Promise<ReturnedResult | undefined> {
  const row = await core.store.document('job', jobId);
  const [member] = await core.store.jobDevices(jobId, position, 1);
  if (row === undefined || member === undefined || member.deviceId !== deviceId) return undefined;
  const { id, selector, action, submittedBy, submittedAtMs, schedule } = viewJob(row.document as JobDocument);
  return {
    version: 1,
    fleetId,
    idempotencyKey: `${id}/${deviceId}`,
    job: { id, selector, action, submittedBy, submittedAtMs, ...(schedule === undefined ? {} : { schedule }) },
    result: viewResult(member),
  };
}

function pause({ clock }: ServiceContext, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(restartMs, resolve);
    signal.addEventListener('abort', () => (cancel(), resolve()), { once: true });
  });
}
