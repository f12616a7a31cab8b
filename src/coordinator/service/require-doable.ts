import type { RolloutRequest } from '../../client/contract/rollout.ts';
import type { RolloutAction } from '../../client/contract/rollout-action.ts';
import { requireTemplates } from '../job/argument-template.ts';
import { authorize } from '../operator/caller.ts';
import type { ServiceContext } from './context.ts';
import { requireContent } from './require-content.ts';
import { requireDocument } from './require-document.ts';

/**
 * A rollout is a way to do something, and gives nobody more than he may do without one: to bring software takes the right
 * to release, to run jobs, set settings or renew certificates takes the right to operate.
 */
export function requireRight(context: ServiceContext, { action }: { action?: RolloutAction }): void {
  authorize(context, action === undefined || action.kind === 'agent-update' ? 'release' : 'operate');
}

/** @throws FlotillaError when what the action brings is not here, or no device could do it */
export async function requireDoable(
  context: Pick<ServiceContext, 'blobDirectory'>,
  { action }: Pick<RolloutRequest, 'action'>,
): Promise<void> {
  if (action?.kind === 'config') requireDocument(action.document);
  if (action?.kind !== 'job') return;
  requireTemplates(action.job);
  await requireContent(context, action.job);
}
