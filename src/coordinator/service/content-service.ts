import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { JobFile } from '../../client/contract/job.ts';
import { FlotillaError } from '../../error.ts';
import type { JobFileEvent } from '../../protocol/event.ts';
import { contentOf, type Content } from '../../protocol/job-action.ts';
import type { CoreState } from '../core/core-state.ts';
import type { JobDevice, JobDocument } from '../job/job-state.ts';
import { audit, type ServiceContext } from './context.ts';
import { unknownJob } from './job-service.ts';
import { receiveBlob } from './receive-blob.ts';

export const maxContentBytes = 64 * 1024 * 1024;
/** A job may be repeated for so long without sending its content again. */
const keptMs = 30 * 86_400_000;
const pageRows = 500;

/** Receives what jobs deliver: a script, a file. The same content again is no news. */
export async function uploadContent(context: ServiceContext, sha256: string, body: Readable): Promise<Content> {
  await using blob = await receiveBlob(context.blobDirectory, body);
  if (blob.sha256 !== sha256) {
    throw new FlotillaError('failed', 'content-changed', 'the content is not what was announced', {
      seen: `sha256 ${blob.sha256}`,
      expected: `sha256 ${sha256}`,
      suggestion: 'the file has changed while it was sent: try again',
    });
  }
  await blob.keep();
  await forgetOld(context);
  const { sizeBytes } = blob;
  await context.core.submit((turn) => audit(turn, context, 'content.upload', sha256, { sizeBytes }));
  return { sha256, sizeBytes };
}

/** What one device has read for a job, put together from its events and proved by its digest. */
export async function showJobFile(context: ServiceContext, id: string, deviceId: string): Promise<JobFile> {
  const { core } = context;
  const row = await core.store.document('job', id);
  if (row === undefined) throw unknownJob(id);
  const members = await core.store.members('job', id, false);
  const device = members.find((member) => member.deviceId === deviceId)?.document as JobDevice | undefined;
  if (device?.file === undefined) {
    throw new FlotillaError('usage', 'job-file-none', `job ${id} has read no file on ${deviceId}`, {
      suggestion: `flotilla job show ${id}`,
    });
  }
  const pieces = await piecesOf(context, row.document as JobDocument, deviceId);
  const bytes = Buffer.alloc(device.file.sizeBytes);
  let filled = 0;
  for (const { offset, base64 } of pieces) {
    const piece = Buffer.from(base64, 'base64');
    if (offset === filled && offset + piece.length <= bytes.length) filled += piece.copy(bytes, offset);
  }
  const complete = filled === bytes.length;
  return { deviceId, ...device.file, complete, ...(complete ? { base64: bytes.toString('base64') } : {}) };
}

/** In order, as far as they have come. */
async function piecesOf(
  { core }: ServiceContext,
  { id, submittedAtMs }: JobDocument,
  deviceId: string,
): Promise<JobFileEvent[]> {
  const to = await core.submit(({ state }) => state.counters.get('offset') ?? 0);
  const filter = { type: 'flotilla.job-file', key: id, deviceIds: [deviceId], sinceMs: submittedAtMs };
  const pieces: JobFileEvent[] = [];
  for (let from: number | undefined = 1; from !== undefined && from <= to;) {
    const slice = await core.store.scan({ filter, direction: 'up', from, to, limit: pageRows });
    for (const { payload } of slice.rows) pieces.push(JSON.parse(Buffer.from(payload).toString()) as JobFileEvent);
    from = slice.next;
  }
  return pieces.toSorted((a, b) => a.offset - b.offset);
}

/** What no release, no job, no rollout and no schedule needs, and nobody has sent for a month. */
async function forgetOld({ core, blobDirectory, clock }: ServiceContext): Promise<void> {
  const needed = await core.submit(({ state }) => neededContents(state));
  for (const name of await readdir(blobDirectory)) {
    if (!/^[0-9a-f]{64}$/.test(name) || needed.has(name)) continue;
    const path = join(blobDirectory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && clock.nowMs() - found.mtimeMs > keptMs) await rm(path, { force: true });
  }
}

function neededContents(state: CoreState): Set<string> {
  const releases = [...state.releases.values()].map(({ release }) => release.sha256);
  const jobs = [...state.jobs.values()].map(({ document }) => document.action);
  const scheduled = [...state.schedules.values()].map(({ job }) => job.action);
  const rolled = [...state.rollouts.values()].flatMap(({ document: { action } }) =>
    action?.kind === 'job' ? [action.job] : [],
  );
  const contents = [...jobs, ...scheduled, ...rolled].map((action) => contentOf(action)?.sha256 ?? '');
  return new Set([...releases, ...contents]);
}
