import type {
  DeadLetter,
  DeadLetterOutcome,
  DeadLetterQuery,
  DiscardRequest,
} from '../../client/contract/dead-letter.ts';
import { FlotillaError } from '../../error.ts';
import type { DeadLetterRow } from '../../store/index.ts';
import { writeAudit } from '../audit/write-audit.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { replayLetter } from '../core/replay-operation.ts';
import type { Turn } from '../core/turn.ts';
import { audit, type ServiceContext } from './context.ts';
import { decode } from './event-service.ts';
import { matchKnown } from './target.ts';

const defaultLimit = 1_000;

/** In order of id, without what they hold. */
export async function listDeadLetters(context: ServiceContext, query: DeadLetterQuery): Promise<DeadLetter[]> {
  const { selector, limit = defaultLimit, ...rest } = query;
  const deviceIds = await context.core.submit((turn) =>
    selector === undefined ? undefined : matchKnown(turn, selector),
  );
  const found = await context.core.store.deadLetters({
    ...rest,
    limit,
    ...(deviceIds === undefined ? {} : { deviceIds }),
  });
  return found.map(({ payload: _, schema: __, ...letter }) => letter);
}

export async function showDeadLetter(context: ServiceContext, id: number): Promise<DeadLetter> {
  const { payload, schema, ...letter } = await readLetter(context, id);
  if (payload.length === 0) return { ...letter, payload: null }; // redacted, or a request whose bytes are not kept
  const shown =
    letter.layer === 'frame'
      ? { base64: Buffer.from(payload).toString('base64') }
      : decode(context.payloads, schema, payload);
  return { ...letter, payload: shown };
}

async function readLetter({ core }: ServiceContext, id: number): Promise<DeadLetterRow> {
  const [letter] = await core.store.deadLetters({ ids: [id], payload: true });
  if (letter !== undefined) return letter;
  throw new FlotillaError('usage', 'deadletter-unknown', `there is no dead letter ${id}`, {
    seen: String(id),
    suggestion: 'flotilla deadletter list',
  });
}

/** Each for itself: one that fails again stays, and says why. */
export function replayDeadLetters(context: ServiceContext, ids: readonly number[]): Promise<DeadLetterOutcome> {
  return decideEach(context, ids, async (letter) => {
    const { core } = context;
    const { id } = letter;
    try {
      const offset = await core.submit((turn) => {
        const at = replayLetter(turn, letter, core.readEvent);
        turn.write({
          kind: 'dead-letter-change',
          change: { id, state: 'replayed', ...(at === undefined ? {} : { offset: at }) },
        });
        audit(turn, context, 'deadletter.replay', String(id), placeOf(letter), devicesOf(letter));
        return at;
      });
      if (letter.consumer !== undefined) context.streams.of(letter.consumer)?.wake();
      return offset;
    } catch (error) {
      if (error instanceof FlotillaError && error.fault === 'refused') throw error;
      await core.submit((turn) => noteFailure(turn, context, letter, error));
      throw error;
    }
  });
}

function noteFailure(turn: Turn, context: ServiceContext, letter: DeadLetterRow, error: unknown): void {
  const { id, attempts } = letter;
  const code = error instanceof FlotillaError ? error.code : 'internal';
  const devices = devicesOf(letter);
  const note = { action: 'deadletter.replay', subject: String(id), detail: placeOf(letter), devices };
  writeAudit(turn, context, { ...note, result: 'failed', code });
  const seen = error instanceof FlotillaError ? (error.detail.seen ?? error.message) : String(error);
  turn.write({
    kind: 'dead-letter-change',
    change: { id, attempts: attempts + 1, lastAtMs: turn.nowMs, reason: seen.slice(0, 512) },
  });
}

/** For good; what they hold stays for as long as dead letters are kept. */
export function discardDeadLetters(context: ServiceContext, { ids, note }: DiscardRequest): Promise<DeadLetterOutcome> {
  return decideEach(context, ids, async (letter) => {
    await context.core.submit((turn) => {
      turn.write({ kind: 'dead-letter-change', change: { id: letter.id, state: 'discarded', note } });
      const payload = { id: letter.id, note, by: context.actor };
      appendOwnEvent(turn, {
        deviceId: letter.deviceId,
        type: 'coordinator.dead-letter-discarded',
        key: '',
        payload,
      });
      audit(turn, context, 'deadletter.discard', String(letter.id), { ...placeOf(letter), note }, devicesOf(letter));
    });
    return undefined;
  });
}

function messageOf({ fault, message, detail }: FlotillaError): string {
  return fault === 'failed' && detail.seen !== undefined ? `${message}: ${detail.seen}` : message;
}

const placeOf = ({ layer, deviceId, instanceId, lane, seq, type }: DeadLetterRow) => ({
  layer,
  deviceId,
  instanceId,
  lane,
  seq,
  type,
});

/** None for what the coordinator wrote itself. */
const devicesOf = ({ deviceId }: DeadLetterRow): string[] => (deviceId === '' ? [] : [deviceId]);

async function decideEach(
  context: ServiceContext,
  ids: readonly number[],
  decide: (letter: DeadLetterRow) => Promise<number | undefined>,
): Promise<DeadLetterOutcome> {
  const outcome: DeadLetterOutcome = { done: [], failed: [] };
  for (const id of new Set(ids)) {
    try {
      const letter = await withLetter(context, id, async (found) => {
        if (found.state !== 'new') throw decidedAlready(found);
        const offset = await decide(found);
        return { id, layer: found.layer, ...(offset === undefined ? {} : { offset }) };
      });
      outcome.done.push(letter);
    } catch (error) {
      if (!(error instanceof FlotillaError) || error.fault === 'ours') throw error;
      outcome.failed.push({ id, code: error.code, message: messageOf(error) });
    }
  }
  return outcome;
}

/** The letter stands in the database, not in the state: between the look and the decision nobody else may decide. */
async function withLetter<T>(
  context: ServiceContext,
  id: number,
  decide: (letter: DeadLetterRow) => Promise<T>,
): Promise<T> {
  const { deciding } = context;
  if (deciding.has(id)) {
    throw new FlotillaError('refused', 'deadletter-busy', `dead letter ${id} is being decided on by somebody else`);
  }
  deciding.add(id);
  try {
    return await decide(await readLetter(context, id));
  } finally {
    deciding.delete(id);
  }
}

function decidedAlready({ id, state, note }: DeadLetterRow): FlotillaError {
  return new FlotillaError('refused', 'deadletter-decided', `dead letter ${id} was ${state} already`, {
    seen: note === undefined ? state : `${state}: ${note}`,
    expected: 'state new',
  });
}
