import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobFile } from '../client/contract/index.ts';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError } from '../error.ts';

const askAgainMs = 300;
/** The pieces come behind everything else of the device. */
const patienceMs = 120_000;

/**
 * The files that a job has read, each at `<directory>/<device>/<name>`. A device's id is no path by its shape, and the
 * name is the one that was asked for: nothing that a device says decides where a file is written.
 */
export async function saveJobFiles(
  client: CoordinatorClient,
  jobId: string,
  { path, directory }: { path: string; directory: string },
): Promise<string[]> {
  const { results = [] } = await client.job(jobId);
  const saved: string[] = [];
  for (const { deviceId, file } of results) {
    if (file === undefined) continue;
    const content = await wholeFile(client, jobId, deviceId);
    const folder = join(directory, deviceId);
    await mkdir(folder, { recursive: true });
    const place = join(folder, basename(path));
    const temporary = `${place}.part`;
    await writeFile(temporary, content);
    await rename(temporary, place);
    saved.push(place);
  }
  return saved;
}

async function wholeFile(client: CoordinatorClient, jobId: string, deviceId: string): Promise<Buffer> {
  const endMs = Date.now() + patienceMs;
  let file: JobFile = await client.jobFile(jobId, deviceId);
  while (file.base64 === undefined) {
    if (Date.now() > endMs) {
      throw new FlotillaError('undecided', 'job-file-incomplete', `the file of ${deviceId} has not come whole yet`, {
        suggestion: `it waits on the device or is on its way; look again: flotilla job show ${jobId}`,
      });
    }
    await delay(askAgainMs);
    file = await client.jobFile(jobId, deviceId);
  }
  const content = Buffer.from(file.base64, 'base64');
  const seen = createHash('sha256').update(content).digest('hex');
  if (seen === file.sha256) return content;
  throw new FlotillaError('failed', 'job-file-changed', `the file of ${deviceId} is not what the device has read`, {
    seen: `sha256 ${seen}`,
    expected: `sha256 ${file.sha256}`,
  });
}
