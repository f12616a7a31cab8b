/**
 * Two live sessions of one identity that write different histories: a card was copied, or a device was set up anew
 * while its old connection is not yet known to be dead. The older one is asked for a sign of life; only an answer makes
 * it a clone, because a dead connection can't answer.
 */
import { auditRule } from '../audit/write-audit.ts';
import type { Connect, ConnectionId } from '../gateway/port.ts';
import type { HookVerdict } from '../hook/connect-hook.ts';
import { retryAfter } from '../identity/judge-connect.ts';
import { instanceHex, type LiveConnection, type Probe } from './core-state.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

const answerWithinMs = 10_000;

/** True when the newer one has to wait for the answer of the older. */
export function suspectClone(
  turn: Turn,
  connect: Connect,
  older: LiveConnection | undefined,
  application?: HookVerdict,
): boolean {
  const { state } = turn;
  const { deviceId } = connect.identity;
  const waiting = state.probes.get(deviceId);
  if (waiting !== undefined) {
    turn.delete(state.probes, deviceId);
    refuseNewer(turn, waiting.newer.connection, 'superseded', retryAfter.instanceMs, 'a newer connection came');
  }
  if (older === undefined || older.instanceId === instanceHex(connect.instanceId)) return false;
  if (state.devices.get(deviceId)?.state === 'quarantined') return false; // known already: the newer wins
  const known = application === undefined ? {} : { application };
  turn.set(state.probes, deviceId, { older: older.connection, newer: connect, ...known });
  if (waiting?.older !== older.connection) {
    turn.afterCommit((gateway) => gateway.probe(older.connection, answerWithinMs));
  }
  return true;
}

/** Takes the probe of this older connection, if there is one. */
export function takeProbe(turn: Turn, deviceId: string, older: ConnectionId): Probe | undefined {
  const probe = turn.state.probes.get(deviceId);
  if (probe?.older !== older) return undefined;
  turn.delete(turn.state.probes, deviceId);
  return probe;
}

/** Both are kept out until an operator has looked: which one is ours can't be told from here. */
export function quarantineClones(turn: Turn, live: LiveConnection, newer: Connect): void {
  const { deviceId, serialHex } = newer.identity;
  const instanceId = instanceHex(newer.instanceId);
  reportClones(turn, deviceId, 'two-instances', [
    { ...live, address: turn.state.devices.get(deviceId)?.address ?? '' },
    { instanceId, serial: serialHex, gateway: newer.gateway, address: newer.address },
  ]);
  refuseNewer(turn, newer.connection, 'quarantined', retryAfter.cloneMs, 'two devices have this identity');
  turn.afterCommit((gateway) => gateway.close(live.connection, 'quarantined', retryAfter.cloneMs));
}

/** How it was found out, and what can be told apart of the two. */
export function reportClones(
  turn: Turn,
  deviceId: string,
  reason: 'two-instances' | 'superseded-each-other',
  both: readonly (Pick<LiveConnection, 'instanceId' | 'serial' | 'gateway'> & { address: string })[],
): void {
  const instances = both.map(({ instanceId }) => instanceId);
  const addresses = both.map(({ address }) => address);
  const hold = { by: 'clone' as const, reason: 'two devices have this identity', instances, addresses };
  changeDevice(turn, deviceId, { kind: 'quarantine', hold });
  const payload = {
    reason,
    instances,
    addresses,
    serials: both.map(({ serial }) => serial),
    gateways: both.map(({ gateway }) => gateway),
  };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.clone', key: '', payload });
  auditRule(turn, 'clone', { action: 'device.quarantine', subject: deviceId, detail: payload, devices: [deviceId] });
}

function refuseNewer(
  turn: Turn,
  connection: ConnectionId,
  code: 'superseded' | 'quarantined',
  retryAfterMs: number,
  detail: string,
): void {
  turn.afterCommit((gateway) => gateway.refuse(connection, { code, retryAfterMs, detail }));
}
