import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { contentOf, type JobAction } from '../../protocol/job-action.ts';
import type { ServiceContext } from './context.ts';

/** @throws FlotillaError when a job's content is not here */
export async function requireContent(context: ServiceContext, action: JobAction): Promise<void> {
  const content = contentOf(action);
  if (content === undefined) return;
  const found = await stat(join(context.blobDirectory, content.sha256)).catch(() => undefined);
  if (found?.size === content.sizeBytes) return;
  throw new FlotillaError('usage', 'content-unknown', 'the coordinator has no such content', {
    seen: `sha256 ${content.sha256}, ${content.sizeBytes} bytes`,
    suggestion: 'upload it first: PUT /v1/contents',
  });
}
