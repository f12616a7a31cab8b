import type {
  AuthorityDetail,
  AuthorityOverview,
  AuthorityView,
  EndedAuthority,
  Rotated,
} from '../../client/contract/index.ts';
import { constraintText } from '../../pki/name-constraint.ts';
import { formatAge, plural } from '../human.ts';
import type { Style } from '../paint.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

const styles: Record<AuthorityView['state'], Style | undefined> = {
  requested: 'yellow',
  active: 'green',
  overlap: 'yellow',
  retired: undefined,
  trusted: 'green',
  removed: undefined,
};

export function formatAuthorities(
  authorities: readonly AuthorityView[],
  nowMs: number,
  option: TableOption = {},
): string {
  return formatTable(
    authorities,
    [
      { title: 'AUTHORITY', value: (one) => one.id },
      { title: 'KIND', value: (one) => one.kind },
      { title: 'STATE', value: (one) => one.state, style: (one) => styles[one.state] },
      { title: 'SINCE', value: (one) => formatAge(sinceOf(one), nowMs) },
      { title: 'ENDS', value: (one) => (one.retireAtMs === undefined ? undefined : formatAge(one.retireAtMs, nowMs)) },
      { title: 'DEVICES', value: (one) => String(one.devices) },
      { title: 'ISSUED', value: (one) => String(one.issued) },
      { title: 'SUBJECT', value: (one) => one.subject, shrink: true },
    ],
    option,
  );
}

function sinceOf({ endedAtMs, activeAtMs, createdAtMs }: AuthorityView): number {
  return endedAtMs ?? activeAtMs ?? createdAtMs;
}

const rootKeys: Record<AuthorityOverview['root']['key'], string> = {
  encrypted: "on the coordinator's machine, encrypted; flotilla ca detach takes it away",
  plain: "on the coordinator's machine, WITHOUT a passphrase",
  detached: 'detached: kept elsewhere',
};

export function formatOverview({ fleetId, root, coordinator, authorities }: AuthorityOverview, nowMs: number): string {
  const lines = [
    formatFields({
      fleet: fleetId,
      root: root.subject,
      'root sha256': root.fingerprintSha256,
      'root key': rootKeys[root.key],
      coordinator: `${coordinator.serial}, signed by ${coordinator.issuer}`,
      names: coordinator.names.join(', '),
    }),
    formatAuthorities(authorities, nowMs),
    ...authorities.filter(({ state }) => state === 'overlap').map((one) => overlapLine(one, nowMs)),
    ...authorities
      .filter(({ state }) => state === 'requested')
      .map(({ id }) => `${id} waits for the root to sign it\n`),
  ];
  return lines.join('\n');
}

function overlapLine({ id, devices, retireAtMs = 0 }: AuthorityView, nowMs: number): string {
  const ends = `its overlap ends ${formatAge(retireAtMs, nowMs)}`;
  if (devices === 0) return `no device is on ${id} any more: flotilla ca retire ${id}\n`;
  return `${plural(devices, 'device')} still on the old authority ${id}; ${ends}\n`;
}

export function formatAuthority({ authority, deviceIds }: AuthorityDetail, nowMs: number): string {
  const { registration, nameConstraint, state, retireAtMs, endedAtMs, notAfterMs } = authority;
  const fields = formatFields({
    authority: authority.id,
    kind: authority.kind,
    state: authority.compromised === true ? `${state}, compromised` : state,
    subject: authority.subject,
    key: authority.publicKey,
    sha256: authority.fingerprintSha256,
    ends: notAfterMs === undefined ? undefined : formatAge(notAfterMs, nowMs),
    'may only name': nameConstraint === undefined ? undefined : constraintText(nameConstraint),
    retires: retireAtMs === undefined ? undefined : formatAge(retireAtMs, nowMs),
    ended: endedAtMs === undefined ? undefined : formatAge(endedAtMs, nowMs),
    certificates: `${authority.issued} on record, ${authority.valid} of them good`,
    profile: registration?.profile,
    'device ids': registration?.deviceId,
    arrival: registration?.arrival,
    tags:
      registration &&
      Object.entries(registration.tags)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    keys: registration?.keyKinds.join(', '),
  });
  const devices =
    deviceIds.length === 0 ? 'no devices' : `${plural(deviceIds.length, 'device')}: ${deviceIds.join(' ')}`;
  return `${fields}\n${devices}\n`;
}

export function formatRotated({ authority, before }: Rotated, nowMs: number): string {
  const now = `${authority.id} signs from now on: ${authority.subject}\n`;
  if (before === undefined) return now;
  const { id, devices, retireAtMs = 0 } = before;
  return `${now}${plural(devices, 'device')} still on ${id}, which is trusted until its overlap ends ${formatAge(retireAtMs, nowMs)}\n`;
}

export function formatEnded({ authority, cutConnections }: EndedAuthority): string {
  return `${authority.id} is ${authority.state}\n${plural(cutConnections, 'connection')} cut\n`;
}
