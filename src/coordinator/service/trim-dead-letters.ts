import type { DeadLetterRow } from '../../store/index.ts';
import { auditRule } from '../audit/write-audit.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { ServiceContext } from './context.ts';

export interface DeadLetterRetention {
  keepRows: number;
  keepSeconds: number;
}

/**
 * Forgets dead letters beyond the number and the age that are kept: first those that were decided on, the oldest first.
 * One that nobody has decided on never goes without an event that says so.
 */
export async function trimDeadLetters(
  { core, clock }: Pick<ServiceContext, 'core' | 'clock'>,
  { keepRows, keepSeconds }: DeadLetterRetention,
): Promise<void> {
  const going = await core.store.surplusLetters(keepRows, clock.nowMs() - keepSeconds * 1000);
  if (going.length === 0) return;
  const ids = going.map(({ id }) => id);
  const undecided = going.filter(({ state }) => state === 'new');
  await core.submit((turn) => {
    turn.write({ kind: 'dead-letters-removed', ids });
    const count = ids.length;
    const detail = { count, undecided: undecided.length, keepRows, keepSeconds, first: ids[0], last: ids.at(-1) };
    const devices = going.map(({ deviceId }) => deviceId).filter((id) => id !== '');
    auditRule(turn, 'dead-letter-retention', {
      action: 'deadletter.forget',
      subject: `${count} rows`,
      detail,
      devices,
    });
    if (undecided.length === 0) return;
    const payload = { count: undecided.length, keepRows, keepSeconds, letters: undecided.slice(0, 100).map(summaryOf) };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.dead-letters-forgotten', key: '', payload });
  });
}

const summaryOf = ({ id, layer, deviceId, instanceId, lane, seq, type }: DeadLetterRow) => ({
  id,
  layer,
  deviceId,
  instanceId,
  lane,
  seq,
  type,
});
