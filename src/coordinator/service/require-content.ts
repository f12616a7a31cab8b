import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { contentOf, type OperatorAction } from '../../protocol/job-action.ts';
import { requireDocument } from './require-document.ts';
import type { ServiceContext } from './context.ts';

/** @throws FlotillaError when what a job brings is not here, or can't be sent */
export async function requireContent(
  context: Pick<ServiceContext, 'blobDirectory'>,
  action: OperatorAction,
): Promise<void> {
  if (action.kind === 'config') requireDocument(action.document);
  const content = contentOf(action);
  if (content === undefined) return;
  const found = await stat(join(context.blobDirectory, content.sha256)).catch(() => undefined);
  if (found?.size === content.sizeBytes) return;
  throw new FlotillaError('usage', 'content-unknown', 'the coordinator has no such content', {
    seen: `sha256 ${content.sha256}, ${content.sizeBytes} bytes`,
    suggestion: 'upload it first: PUT /v1/contents',
  });
}
