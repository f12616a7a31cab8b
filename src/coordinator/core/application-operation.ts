/** The application's say about a connect: what it is asked, and what follows from its answer. */
import type { Standing } from '../../protocol/message.ts';
import type { Connect } from '../gateway/port.ts';
import type { ConnectQuestion, HookVerdict } from '../hook/connect-hook.ts';
import { retryAfter, type Refusal } from '../identity/judge-connect.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

const hookRule = 'connect-hook';
const maxDetail = 64;

export function questionOf(
  turn: Turn,
  { identity, address, agentVersion, resumed }: Connect,
  instanceId: string,
  state: 'accepted' | 'pending',
): ConnectQuestion {
  const { deviceId, serialHex: serial, fingerprintSha256Hex: fingerprintSha256 } = identity;
  const { fleetId, devices } = turn.state;
  const { tags = {}, grains = {} } = devices.get(deviceId) ?? {};
  return {
    version: 1,
    fleetId,
    deviceId,
    serial,
    fingerprintSha256,
    instanceId,
    address,
    agentVersion,
    resumed,
    state,
    tags,
    grains,
  };
}

/** A refusal, another standing, or nothing: let it in as it is. */
export function takeVerdict(
  turn: Turn,
  connect: Connect,
  verdict: HookVerdict,
): Refusal | { standing: Standing } | undefined {
  if (verdict.decision === 'allow') return undefined;
  const { deviceId } = connect.identity;
  const { decision, reason = 'no reason given', retryAfterSeconds } = verdict;
  if (decision === 'quarantine') {
    const hold = { by: 'connect-hook' as const, reason };
    if (changeDevice(turn, deviceId, { kind: 'quarantine', hold })) {
      appendOwnEvent(turn, { deviceId, type: 'coordinator.quarantined', key: '', payload: { reason, by: hookRule } });
    }
    return { standing: 'quarantined' };
  }
  noteRefused(turn, connect, hookRule, reason);
  const retryAfterMs = retryAfterSeconds === undefined ? retryAfter.finalMs : retryAfterSeconds * 1000;
  const code = decision === 'deny' ? 'not-admitted' : 'overloaded';
  return { code, retryAfterMs, detail: reason.slice(0, maxDetail) };
}

/** Told once for each reason, however often it knocks. */
export function noteRefused(turn: Turn, { identity, address }: Connect, rule: string, reason: string): void {
  const { deviceId } = identity;
  if (!changeDevice(turn, deviceId, { kind: 'refused', refused: { rule, reason } })) return;
  appendOwnEvent(turn, { deviceId, type: 'coordinator.refused', key: rule, payload: { rule, reason, address } });
}
