import { FlotillaError } from '../../error.ts';
import type { ConsumerRow, EventRow } from '../../store/row.ts';
import { reduceConsumer, type ConsumerEffect, type ConsumerInput } from '../consumer/reduce-consumer.ts';
import { appendOwnEvent } from './event-operation.ts';
import { parkLetter } from './park-letter.ts';
import type { Turn } from './turn.ts';

export function putConsumer(turn: Turn, consumer: ConsumerRow): void {
  turn.set(turn.state.consumers, consumer.name, consumer);
  turn.write({ kind: 'consumer', consumer });
}

export function consumerOf(turn: Pick<Turn, 'state'>, name: string): ConsumerRow {
  const consumer = turn.state.consumers.get(name);
  if (consumer !== undefined) return consumer;
  throw new FlotillaError('usage', 'consumer-unknown', `there is no consumer ${name}`, {
    seen: name,
    suggestion: 'flotilla event consumer list',
  });
}

/** What became of a row that could not be managed. */
export interface Buried {
  offset: number;
  letter: number;
  reason: string;
}

/**
 * One step of a consumer. A row that is given up needs its bytes: `event` is the row of the log that the input is
 * about, and is left out for inputs that give nothing up.
 */
export function stepConsumer(turn: Turn, name: string, input: ConsumerInput, event?: EventRow): Buried[] {
  const before = consumerOf(turn, name);
  const { consumer, effects } = reduceConsumer(before, input, turn.nowMs);
  if (consumer !== before) putConsumer(turn, consumer);
  return effects.flatMap((effect) => carryOut(turn, consumer, effect, event) ?? []);
}

function carryOut(turn: Turn, consumer: ConsumerRow, effect: ConsumerEffect, event?: EventRow): Buried | undefined {
  if (effect.kind === 'replayed') {
    const payload = { id: effect.letter, consumer: consumer.name };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.dead-letter-replayed', key: '', payload });
    return undefined;
  }
  const { offset, tried, code, stderr } = effect;
  const attempts = tried.crashes + tried.failures;
  const times = attempts === 1 ? 'once' : `${attempts} times`;
  const reason = `${code === 'crashed' ? `its handler ended ${times} with it` : `its handler refused it ${times}`}${tried.error === '' ? '' : `: ${tried.error}`}`;
  const known = {
    ...(consumer.version === undefined ? {} : { version: consumer.version }),
    ...(stderr === undefined ? {} : { stderr }),
  };
  if (effect.letter !== undefined) {
    // A replay that failed: the letter waits for the next decision, it is not a second one.
    turn.write({
      kind: 'dead-letter-change',
      change: { id: effect.letter, state: 'new', attempts, lastAtMs: turn.nowMs, reason, code, ...known },
    });
    const payload = { id: effect.letter, consumer: consumer.name, layer: 'handler', code, attempts };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.dead-letter', key: '', payload });
    return { offset, letter: effect.letter, reason };
  }
  if (event === undefined) throw new FlotillaError('ours', 'consumer-event-missing', `row ${offset} was not handed in`);
  const { redacted: _, offset: __, ...row } = event;
  const letter = parkLetter(turn, {
    ...row,
    offset,
    layer: 'handler',
    code,
    reason,
    attempts,
    firstAtMs: tried.firstAtMs,
    consumer: consumer.name,
    ...known,
  });
  return { offset, letter, reason };
}
