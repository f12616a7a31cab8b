import type { RolloutFollowRow } from '../../client/contract/rollout.ts';
import type { MemberRow } from '../../store/index.ts';
import type { RolloutDocument } from '../rollout/rollout-state.ts';
import type { TargetDevice } from '../rollout/target-device.ts';
import { viewRollout, viewTarget } from '../rollout/view-rollout.ts';
import type { ServiceContext } from './context.ts';
import { Mailbox } from './mailbox.ts';
import { unknownRollout } from './rollout-service.ts';

type News = { member: MemberRow } | { document: RolloutDocument };

/** Its devices and itself as they are, then each change; ends with the rollout halted, aborted or completed. */
export async function followRollout(
  { core }: ServiceContext,
  id: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<RolloutFollowRow>> {
  const news = new Mailbox<News>();
  const unsubscribe = core.subscribe((change) => {
    if (change.kind === 'rollout-device' && change.member.parentId === id) {
      news.put(`device ${change.member.position}`, { member: change.member });
    } else if (change.kind === 'rollout' && change.document.id === id)
      news.put('rollout', { document: change.document });
  });
  signal.addEventListener('abort', () => news.close(), { once: true });
  try {
    const row = await core.store.document('rollout', id);
    if (row === undefined) throw unknownRollout(id);
    const members = await core.store.members('rollout', id, false);
    return rows(row.document as RolloutDocument, members, news, unsubscribe, signal);
  } catch (error) {
    unsubscribe();
    throw error;
  }
}

async function* rows(
  document: RolloutDocument,
  members: MemberRow[],
  news: Mailbox<News>,
  unsubscribe: () => void,
  signal: AbortSignal,
): AsyncGenerator<RolloutFollowRow> {
  try {
    let rollout = document;
    for (const member of members) yield { kind: 'device', device: viewTarget(member.document as TargetDevice) };
    yield { kind: 'rollout', rollout: viewRollout(rollout) };
    while (!isOver(rollout)) {
      const taken = signal.aborted ? undefined : await news.take();
      if (taken === undefined) return;
      for (const item of taken.values()) {
        if ('member' in item) yield { kind: 'device', device: viewTarget(item.member.document as TargetDevice) };
        else rollout = item.document;
      }
      if (taken.has('rollout')) yield { kind: 'rollout', rollout: viewRollout(rollout) };
    }
  } finally {
    unsubscribe();
  }
}

function isOver({ state }: RolloutDocument): boolean {
  return state === 'halted' || state === 'aborted' || state === 'completed';
}
