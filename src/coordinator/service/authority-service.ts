import { X509Certificate } from 'node:crypto';
import type {
  AuthorityDetail,
  AuthorityOverview,
  AuthorityView,
  EndedAuthority,
  RetireRequest,
  Rotated,
  Rotation,
  RotationRequest,
} from '../../client/contract/authority.ts';
import { chooseProfile } from '../../config/profile-file.ts';
import { FlotillaError } from '../../error.ts';
import { constraintText, describePublicKey, issuingId, readNameConstraint } from '../../pki/index.ts';
import type { AuthorityRow } from '../../store/index.ts';
import {
  activateAuthority,
  activeAuthority,
  devicesByAuthority,
  endAuthority,
  pushAuthorities,
  putAuthority,
} from '../core/authority-operation.ts';
import type { CoreState } from '../core/core-state.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { audit, type ServiceContext } from './context.ts';

/** Which authorities there are and have been, and where the root's key is. */
export function showAuthorities({ core, authorities, fleetId }: ServiceContext): Promise<AuthorityOverview> {
  const root = new X509Certificate(authorities.rootPem);
  const own = authorities.own.certificate;
  return core.submit(({ state, nowMs }) => {
    const views = viewAll(state, nowMs);
    const issuer = views.find(({ subject }) => subject === lineOf(own.issuer));
    return {
      fleetId,
      root: { subject: lineOf(root.subject), fingerprintSha256: fingerprintOf(root), key: authorities.rootKey },
      coordinator: {
        serial: own.serialNumber.toLowerCase(),
        fingerprintSha256: fingerprintOf(own),
        issuer: issuer?.id ?? lineOf(own.issuer),
        names: authorities.reservedHosts,
      },
      authorities: views,
    };
  });
}

/** One authority, with the devices whose present certificate it signed. */
export function showAuthority({ core }: ServiceContext, id: string): Promise<AuthorityDetail> {
  return core.submit(({ state, nowMs }) => {
    const row = authorityOf(state, id);
    const deviceIds = (devicesByAuthority(state).get(id) ?? []).toSorted();
    return { authority: viewAuthority(state, row, nowMs), pem: row.pem, deviceIds };
  });
}

/** The key of the next authority, and what the root has to sign. Asked again, it is the same key. */
export async function beginRotation(context: ServiceContext, request: RotationRequest): Promise<Rotation> {
  const { core, authorities, fleetId } = context;
  const profile = chooseProfile(await context.loadProfiles(), 'issuing', request.profile ?? 'issuing');
  const { permittedDns, permittedUri } = profile.nameConstraints;
  const nameConstraint = permittedDns.length + permittedUri.length === 0 ? undefined : profile.nameConstraints;
  const number = await core.submit((turn) => {
    const rows = [...turn.state.authorities.values()].filter(({ kind }) => kind === 'issuing');
    const waiting = rows.find(({ state }) => state === 'requested');
    const next = waiting === undefined ? Math.max(0, ...rows.map(numberOf)) + 1 : numberOf(waiting);
    const overlapMs = request.overlapSeconds === undefined ? waiting?.overlapMs : request.overlapSeconds * 1000;
    const id = issuingId(next);
    putAuthority(turn, {
      id,
      kind: 'issuing',
      state: 'requested',
      pem: '',
      fingerprintSha256: '',
      createdAtMs: waiting?.createdAtMs ?? turn.nowMs,
      ...(overlapMs === undefined ? {} : { overlapMs }),
    });
    audit(turn, context, 'authority.request', id, { overlapMs, nameConstraint: constraintText(nameConstraint) });
    return next;
  });
  const csr = await authorities.request(number, nameConstraint);
  const rootFingerprintSha256 = fingerprintOf(new X509Certificate(authorities.rootPem));
  return { id: issuingId(number), fleetId, csr, rootFingerprintSha256 };
}

/** What the root has signed takes over: new certificates are of it from here on, those of the one before stay good. */
export async function completeRotation(context: ServiceContext, certificate: string): Promise<Rotated> {
  const { core, authorities } = context;
  const number = await core.submit(({ state }) => {
    const waiting = [...state.authorities.values()].find((row) => row.state === 'requested');
    if (waiting !== undefined) return numberOf(waiting);
    throw new FlotillaError('refused', 'authority-not-requested', 'no new authority has been asked for', {
      suggestion: 'flotilla ca rotate --request-out FILE makes the key and the request',
    });
  });
  const installed = await authorities.install(number, certificate);
  const result = await core.submit((turn) => {
    const last = activeAuthority(turn.state)?.id ?? '';
    const row = activateAuthority(turn, installed);
    pushAuthorities(turn);
    const { fingerprintSha256 } = row;
    audit(turn, context, 'authority.rotate', row.id, { fingerprintSha256 });
    const before = turn.state.authorities.get(last);
    return {
      authority: viewAuthority(turn.state, row, turn.nowMs),
      ...(before === undefined ? {} : { before: viewAuthority(turn.state, before, turn.nowMs) }),
    };
  });
  await authorities.finish(core.state);
  return result;
}

/** Ends the trust in an authority that was rotated away, before its overlap is over. */
export async function retireAuthority(
  context: ServiceContext,
  id: string,
  { compromised = false }: RetireRequest,
): Promise<EndedAuthority> {
  const { core, authorities } = context;
  const result = await core.submit((turn) => {
    const row = authorityOf(turn.state, id);
    // It is found out later that the key of a retired one was taken before it was destroyed.
    const isLate = row.state === 'retired' && compromised && row.compromised !== true;
    if (row.kind !== 'issuing' || (row.state !== 'overlap' && !isLate)) {
      throw new FlotillaError('refused', 'authority-state', `${id} can't be retired`, {
        seen: `${row.kind}, ${row.state}`,
        expected: 'an issuing authority in its overlap',
        suggestion: row.state === 'active' ? 'flotilla ca rotate makes the next one first' : 'flotilla ca list',
      });
    }
    const cutConnections = liveOf(turn.state, id);
    const ended = endAuthority(turn, row, { compromised, by: context.actor });
    audit(turn, context, 'authority.retire', id, { compromised, cutConnections });
    return { authority: viewAuthority(turn.state, ended, turn.nowMs), cutConnections };
  });
  await authorities.finish(core.state);
  return result;
}

/** A new key and certificate for the coordinator itself, with the names that stand in coordinator.yaml now. */
export async function renewCoordinator(context: ServiceContext): Promise<AuthorityOverview['coordinator']> {
  const own = await context.authorities.renewOwn();
  const serial = own.certificate.serialNumber.toLowerCase();
  await context.core.submit((turn) => {
    const payload = { serial, names: context.authorities.reservedHosts, by: context.actor };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.certificate-renewed', key: serial, payload });
    audit(turn, context, 'authority.renew-coordinator', serial, payload);
  });
  return (await showAuthorities(context)).coordinator;
}

export function authorityOf({ authorities }: Pick<CoreState, 'authorities'>, id: string): AuthorityRow {
  const row = authorities.get(id);
  if (row !== undefined) return row;
  throw new FlotillaError('usage', 'authority-unknown', 'there is no such authority', {
    seen: id,
    expected: [...authorities.keys()].toSorted().join(', '),
    suggestion: 'flotilla ca list',
  });
}

/** Connections whose certificate it signed. */
export function liveOf(state: CoreState, id: string): number {
  return [...state.live].filter(
    ([deviceId, { serial }]) =>
      (state.certificates.get(serial)?.issuer ?? state.devices.get(deviceId)?.candidate?.issuer) === id,
  ).length;
}

function viewAll(state: CoreState, nowMs: number): AuthorityView[] {
  const devices = devicesByAuthority(state);
  return [...state.authorities.values()]
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs || numberOf(a) - numberOf(b) || (a.id < b.id ? -1 : 1))
    .map((row) => viewAuthority(state, row, nowMs, devices));
}

export function viewAuthority(
  state: CoreState,
  row: AuthorityRow,
  nowMs: number,
  devices = devicesByAuthority(state),
): AuthorityView {
  const { pem, overlapMs: _, fingerprintSha256, ...facts } = row;
  const issued = [...state.certificates.values()].filter(({ issuer }) => issuer === row.id);
  const valid = issued.filter(({ revokedAtMs, notAfterMs }) => revokedAtMs === undefined && notAfterMs > nowMs);
  return {
    ...facts,
    ...(pem === '' ? {} : { fingerprintSha256, ...certificateFacts(pem) }),
    issued: issued.length,
    valid: valid.length,
    devices: devices.get(row.id)?.length ?? 0,
  };
}

function certificateFacts(pem: string) {
  const certificate = new X509Certificate(pem);
  const nameConstraint = nameConstraintOf(pem);
  return {
    subject: lineOf(certificate.subject),
    publicKey: describePublicKey(certificate.publicKey),
    notAfterMs: certificate.validToDate.getTime(),
    ...(nameConstraint === undefined ? {} : { nameConstraint }),
  };
}

/** Somebody else's may have constraints that we don't read: TLS holds them. */
function nameConstraintOf(pem: string): ReturnType<typeof readNameConstraint> {
  try {
    return readNameConstraint(pem);
  } catch {
    return undefined;
  }
}

function numberOf({ id }: AuthorityRow): number {
  return Number(/^issuing-(\d+)$/.exec(id)?.[1] ?? 0);
}

export function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

export function lineOf(name: string): string {
  return name.replaceAll('\n', ', ');
}
