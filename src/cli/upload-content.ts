import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Content } from '../client/contract/index.ts';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';

/** Sends a file to the coordinator, named by its digest: devices are sure to get what was read here. */
export async function uploadContent(client: CoordinatorClient, path: string): Promise<Content> {
  return client.uploadContent(path, await sha256Of(path));
}

/** For a dry run: the same, and nothing leaves. */
export async function describeContent(path: string): Promise<Content> {
  return { sha256: await sha256Of(path), sizeBytes: (await stat(path)).size };
}

async function sha256Of(path: string): Promise<string> {
  const digest = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
  } catch (error) {
    throw new FlotillaError('usage', 'content-unreadable', `${path} can't be read`, {
      seen: systemErrorCode(error) ?? String(error),
      cause: error,
    });
  }
  return digest.digest('hex');
}
