import { FlotillaError } from '../../error.ts';
import type { DeadLetterRow } from '../../store/row.ts';
import type { NewRequest } from '../effect.ts';
import { stepConsumer } from './consumer-operation.ts';
import { appendEvent, appendOwnEvent } from './event-operation.ts';
import { carryOut } from './carry-out.ts';
import type { EventReader } from './read-event.ts';
import { enqueueRequest } from './request-operation.ts';
import type { Turn } from './turn.ts';

/**
 * Sends a dead letter the way that it did not get through, under the number that it had. What fails again throws, and
 * the turn undoes what it did. Returns the event's row of the log, where it is in the log now.
 */
export function replayLetter(turn: Turn, letter: DeadLetterRow, readEvent: EventReader): number | undefined {
  const { layer, consumer } = letter;
  if (layer === 'frame') {
    throw refusal('deadletter-not-replayable', letter, 'bytes that are no frames have nowhere to go', {
      suggestion: `flotilla deadletter discard ${letter.id} --note TEXT`,
    });
  }
  if (layer === 'device') return sendAnew(turn, letter);
  if (layer === 'handler' && consumer !== undefined) return handAnew(turn, letter, consumer);
  return storeAnew(turn, letter, readEvent);
}

/** It gets an offset now; device, instance, lane and seq are those that it came with. */
function storeAnew(turn: Turn, letter: DeadLetterRow, readEvent: EventReader): number {
  const { deviceId, instanceId, lane, seq, type, key, timestampMs, schema, payload } = letter;
  const meaning = readEvent({
    type,
    key,
    timestampMs,
    schema: schema === undefined ? 0n : BigInt(`0x${schema}`),
    payload,
  });
  if (meaning.kind === 'dead') {
    throw new FlotillaError('failed', 'deadletter-failed-again', `dead letter ${letter.id} can't be taken now either`, {
      seen: meaning.reason,
    });
  }
  const known = { deviceId, instanceId, lane, seq, type, key, timestampMs, receivedAtMs: turn.nowMs, payload };
  appendEvent(turn, { ...known, ...(schema === undefined ? {} : { schema }) });
  const offset = turn.state.counters.get('offset')!;
  carryOut(turn, deviceId, meaning);
  const replayed = { id: letter.id, offset, instanceId, lane, seq };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.dead-letter-replayed', key: '', payload: replayed });
  return offset;
}

function handAnew(turn: Turn, letter: DeadLetterRow, consumer: string): number {
  const { id, offset } = letter;
  if (offset === undefined || !turn.state.consumers.has(consumer)) {
    throw refusal('deadletter-consumer-gone', letter, `the consumer ${consumer} is not there any more`, {
      suggestion: `flotilla event handle ${consumer} makes it again`,
    });
  }
  stepConsumer(turn, consumer, { kind: 'replay', offset, letter: id });
  return offset;
}

/** With as much time as it had the first time. */
function sendAnew(turn: Turn, letter: DeadLetterRow): undefined {
  const { deviceId, type, key, payload, timestampMs } = letter;
  if (!turn.state.devices.has(deviceId))
    throw refusal('deadletter-device-gone', letter, `${deviceId} is not in the registry any more`);
  if (payload.length === 0) {
    throw refusal('deadletter-request-gone', letter, 'the request is too old: its bytes are not kept any more', {
      suggestion: 'make the request again',
    });
  }
  const document = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
  const { expiresAtMs: before } = document;
  const lifeMs = typeof before === 'number' && before > timestampMs ? before - timestampMs : defaultLifeMs;
  const expiresAtMs = turn.nowMs + lifeMs;
  const renewed = typeof before === 'number' ? { ...document, expiresAtMs } : document;
  enqueueRequest(turn, deviceId, { type, key, payload: renewed, expiresAtMs } as unknown as NewRequest);
  const sent = { id: letter.id, requestType: type, requestKey: key };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.dead-letter-replayed', key: '', payload: sent });
  return undefined;
}

const defaultLifeMs = 86_400_000;

function refusal(code: string, { id, layer }: DeadLetterRow, why: string, detail: { suggestion?: string } = {}) {
  return new FlotillaError('refused', code, `dead letter ${id} of layer ${layer} can't be replayed: ${why}`, detail);
}
