/** Authorities as they come and go. Every change reaches the gateways after its commit. */
import type { AuthorityRow } from '../../store/row.ts';
import type { TrustedAuthority } from '../../pki/peer-reader.ts';
import { splitCertificates } from '../../pki/authority-bundle.ts';
import type { TrustDocument } from '../recovery/ipc.ts';
import type { CoreState } from './core-state.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** How long the authority before a rotation stays trusted, when nobody says otherwise: a season of holidays and repairs. */
export const defaultOverlapMs = 90 * 86_400_000;

/** Whose certificates are good now: the one that signs first. */
export function trustedAuthorities(state: Pick<CoreState, 'authorities'>): TrustedAuthority[] {
  const order = ['active', 'overlap', 'trusted'];
  return [...state.authorities.values()]
    .filter((row) => order.includes(row.state))
    .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.id < b.id ? -1 : 1))
    .map(({ id, pem, registration }) => ({
      id,
      pem,
      ...(registration === undefined
        ? {}
        : {
            registration: {
              deviceId: registration.deviceId,
              keyKinds: registration.keyKinds,
              ...(registration.maxValidityDays === undefined ? {} : { maxValidityDays: registration.maxValidityDays }),
            },
          }),
    }));
}

/** Whose certificates the recovery port looks at: those of retired ones as well, unless their key is not theirs alone. */
export function recoveryTrust(state: Pick<CoreState, 'authorities'>, rootPem: string): TrustDocument {
  const issuing = [...state.authorities.values()]
    .filter(({ kind, pem, compromised }) => kind === 'issuing' && pem !== '' && compromised !== true)
    .map(({ id, pem, endedAtMs }) => ({ id, pem, ...(endedAtMs === undefined ? {} : { retiredAtMs: endedAtMs }) }));
  return { roots: splitCertificates(rootPem).map(String), issuing };
}

export function putAuthority(turn: Turn, authority: AuthorityRow): void {
  turn.set(turn.state.authorities, authority.id, authority);
  turn.write({ kind: 'authority', authority });
  turn.notify({ kind: 'authority', id: authority.id });
}

/** After its commit: handshakes, and connections that live. */
export function pushAuthorities(turn: Turn): void {
  turn.afterCommit((gateway) => gateway.setAuthorities(trustedAuthorities(turn.state)));
}

export function activeAuthority(state: Pick<CoreState, 'authorities'>): AuthorityRow | undefined {
  return [...state.authorities.values()].find((row) => row.state === 'active');
}

/** The next one signs from now on; the one before stays trusted for a while. Its certificate is already in its file. */
export function activateAuthority(
  turn: Turn,
  installed: Pick<AuthorityRow, 'id' | 'pem' | 'fingerprintSha256'>,
): AuthorityRow {
  const { state, nowMs } = turn;
  const requested = state.authorities.get(installed.id);
  const before = activeAuthority(state);
  const { overlapMs = defaultOverlapMs, ...kept } = requested ?? { createdAtMs: nowMs };
  const authority: AuthorityRow = { ...kept, ...installed, kind: 'issuing', state: 'active', activeAtMs: nowMs };
  putAuthority(turn, authority);
  if (before !== undefined) {
    const retireAtMs = nowMs + overlapMs;
    putAuthority(turn, { ...before, state: 'overlap', retireAtMs });
    const payload = { from: before.id, to: authority.id, fingerprintSha256: authority.fingerprintSha256, retireAtMs };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.authority-rotated', key: authority.id, payload });
  }
  return authority;
}

/** Retires an issuing authority, removes a registered one: connections of its devices end, and none begins. */
export function endAuthority(
  turn: Turn,
  authority: AuthorityRow,
  how: { compromised?: boolean; by: string },
): AuthorityRow {
  const { retireAtMs: _, ...kept } = authority;
  const isIssuing = authority.kind === 'issuing';
  const ended: AuthorityRow = {
    ...kept,
    state: isIssuing ? 'retired' : 'removed',
    endedAtMs: authority.state === 'retired' ? (authority.endedAtMs ?? turn.nowMs) : turn.nowMs,
    ...(how.compromised === true ? { compromised: true } : {}),
  };
  putAuthority(turn, ended);
  const type = isIssuing ? 'coordinator.authority-retired' : 'coordinator.authority-removed';
  const payload = { authority: ended.id, compromised: ended.compromised ?? false, by: how.by };
  appendOwnEvent(turn, { deviceId: '', type, key: ended.id, payload });
  pushAuthorities(turn);
  return ended;
}

/** Those whose overlap is over. */
export function retireOverdue(turn: Turn): void {
  for (const authority of turn.state.authorities.values()) {
    if (authority.state === 'overlap' && (authority.retireAtMs ?? Infinity) <= turn.nowMs) {
      endAuthority(turn, authority, { by: 'overlap' });
    }
  }
}

/** By authority: devices whose newest certificate that still counts is of it. A device without one is in no list. */
export function devicesByAuthority(state: CoreState): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [deviceId, { serial, state: standing }] of state.devices) {
    if (standing === 'revoked' || standing === 'rejected') continue;
    const current = currentCertificate(state, deviceId, serial);
    if (current === undefined) continue;
    const list = found.get(current) ?? [];
    list.push(deviceId);
    found.set(current, list);
  }
  return found;
}

/** Its issuer: of the certificate that the device uses, or else of the last that was issued for it. */
function currentCertificate(state: CoreState, deviceId: string, serial: string | undefined): string | undefined {
  const used = serial === undefined ? undefined : state.certificates.get(serial);
  if (used !== undefined && used.revokedAtMs === undefined) return used.issuer;
  const others = (state.serials.get(deviceId) ?? []).map((one) => state.certificates.get(one)!);
  return others.findLast(({ revokedAtMs }) => revokedAtMs === undefined)?.issuer;
}
