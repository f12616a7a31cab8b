import type { DeadLetterRow } from '../../store/row.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

export type NewLetter = Omit<DeadLetterRow, 'id' | 'attempts' | 'firstAtMs' | 'lastAtMs' | 'state' | 'note'> &
  Partial<Pick<DeadLetterRow, 'attempts' | 'firstAtMs'>>;

const maxReasonLength = 512;

/** Sets aside what could not be taken, with its bytes, and says so in the log. Returns the letter's id. */
export function parkLetter(turn: Turn, letter: NewLetter): number {
  const { nowMs } = turn;
  const id = turn.next('dead-letter');
  const reason = letter.reason.slice(0, maxReasonLength);
  const { attempts = 1, firstAtMs = nowMs } = letter;
  turn.write({
    kind: 'dead-letter',
    letter: { ...letter, id, reason, attempts, firstAtMs, lastAtMs: nowMs, state: 'new' },
  });
  // A handler that fails on what is said of its failures would never come to an end.
  if (letter.layer === 'handler' && letter.type === 'coordinator.dead-letter') return id;
  const { deviceId, instanceId, lane, seq, layer, code, consumer, offset } = letter;
  const payload = {
    id,
    layer,
    code,
    instanceId,
    lane,
    seq,
    type: letter.type.slice(0, 256),
    // What a handler says may quote the event, which may be redacted one day: it stands in the letter alone.
    ...(layer === 'handler' ? { attempts } : { reason }),
    ...(consumer === undefined ? {} : { consumer }),
    ...(offset === undefined ? {} : { offset }),
  };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.dead-letter', key: '', payload });
  return id;
}
