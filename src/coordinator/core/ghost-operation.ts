/**
 * Two live sessions of one identity that write the same history: nearly always one device whose older connection is not
 * yet known to be dead, so the newer wins at once. But a full copy of a device's data has the same history, too; then
 * the two drive each other out without end. Each older connection is asked for a sign of life before it is sent away: a
 * device gives up its old connection before it dials, so it never answers on it. Who answers again and again is a copy.
 */
import type { Connect, ConnectionId } from '../gateway/port.ts';
import { retryAfter } from '../identity/judge-connect.ts';
import { reportClones } from './clone-operation.ts';
import type { Ghost, LiveConnection } from './core-state.ts';
import type { Turn } from './turn.ts';

const answerWithinMs = 10_000;
/** So many answers of driven-out connections within this time; one or two might be a device of a strange make. */
const maxAnswers = 3;
const withinMs = 30 * 60_000;

/** The older connection of an accepted device is not heard any more, and asked before it is sent away. */
export function haunt(turn: Turn, older: LiveConnection, connect: Connect): void {
  const address = turn.state.devices.get(connect.identity.deviceId)?.address ?? '';
  turn.set(turn.state.ghosts, older.connection, { live: older, address });
  turn.afterCommit((gateway) => gateway.probe(older.connection, answerWithinMs));
}

/** A ghost has answered, or not. False: it is none. */
export function layGhost(turn: Turn, connection: ConnectionId, answered: boolean): boolean {
  const { state } = turn;
  const ghost = state.ghosts.get(connection);
  const deviceId = state.connections.get(connection);
  if (ghost === undefined || deviceId === undefined) return false;
  turn.delete(state.ghosts, connection);
  const isClone = answered && countAnswer(turn, deviceId) && convict(turn, deviceId, ghost);
  const [reason, retryAfterMs] = isClone ? ['quarantined', retryAfter.cloneMs] : ['superseded', 0];
  turn.afterCommit((gateway) => gateway.close(connection, reason, retryAfterMs));
  return true;
}

/** True when it is one too many. */
function countAnswer(turn: Turn, deviceId: string): boolean {
  const { ghostAnswers } = turn.state;
  const recent = (ghostAnswers.get(deviceId) ?? []).filter((atMs) => turn.nowMs - atMs < withinMs);
  turn.set(ghostAnswers, deviceId, [...recent, turn.nowMs]);
  return recent.length + 1 >= maxAnswers;
}

/** False when the other one has gone meanwhile: the next answer will do. */
function convict(turn: Turn, deviceId: string, { live: older, address }: Ghost): boolean {
  const { state } = turn;
  const live = state.live.get(deviceId);
  if (live?.instanceId !== older.instanceId || live.standing !== 'accepted') return false;
  turn.delete(state.ghostAnswers, deviceId);
  reportClones(turn, deviceId, 'superseded-each-other', [
    { ...older, address },
    { ...live, address: state.devices.get(deviceId)?.address ?? '' },
  ]);
  turn.afterCommit((gateway) => gateway.close(live.connection, 'quarantined', retryAfter.cloneMs));
  return true;
}
