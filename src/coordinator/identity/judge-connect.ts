/**
 * May this peer come in? Judged in HELLO at every connect, also at a resumed one: a resumed TLS session skips every
 * certificate check. Pure; the rules stand in order, and `why` shows the very same ones.
 */
import semver from 'semver';
import type { Standing } from '../../protocol/message.ts';
import type { AuthorityRow, CertificateRow, DeviceRow, LaneCursor } from '../../store/row.ts';
import type { PeerIdentity, RefuseCode } from '../gateway/port.ts';

export interface Refusal {
  code: RefuseCode;
  retryAfterMs: number;
  /** For the device's log: at most 64 bytes, no secrets. */
  detail: string;
}

export interface Verdict {
  rule: string;
  verdict: 'ok' | 'blocks' | 'unknown';
  detail: string;
  refusal?: Refusal;
  /** It may come in so far: the control lane alone. */
  standing?: Exclude<Standing, 'accepted'>;
}

/** How long a refused device waits: an operator may decide at any moment, but a revoked one has nothing to hope for. */
export const retryAfter = {
  pendingMs: 5_000,
  quarantinedMs: 10_000,
  instanceMs: 1_000,
  finalMs: 60_000,
  overloadedMs: 5_000,
  cloneMs: 60_000,
  agentMs: 3_600_000,
} as const;

/** Histories that one identity may have; beyond it something replaces its data again and again. */
export const maxInstances = 64;

export interface IdentityQuestion {
  fleetId: string;
  identity: PeerIdentity;
  /** The record of `identity.authority`. */
  authority: AuthorityRow | undefined;
  /** What certificates of this device, on record or waiting, say of themselves. */
  known: readonly KnownCertificate[];
  device: DeviceRow | undefined;
  /** The record of `identity.serialHex`. */
  certificate: CertificateRow | undefined;
  /** How long a certificate that another one has taken over from is still taken. */
  overlapMs: number;
  nowMs: number;
}

/** Who signed a certificate, and for which names. */
export type KnownCertificate = Pick<CertificateRow, 'issuer' | 'subject' | 'revokedAtMs'>;

/** Every rule with its verdict; the first that blocks carries the refusal. */
export function judgeIdentity(question: IdentityQuestion): Verdict[] {
  const { fleetId, identity, authority, device, certificate, overlapMs, nowMs } = question;
  return [
    identity.fleetId === fleetId
      ? ok('fleet', `the certificate is of ${fleetId}`)
      : blocks('fleet', `the certificate is of ${identity.fleetId}`, 'unknown-device', retryAfter.finalMs),
    judgeAuthority(authority, identity.authority),
    judgeCertificate(certificate, identity, nowMs),
    judgeReplaced(certificate, overlapMs, nowMs),
    ...(authority?.kind === 'registered' ? [judgeNamespace(question)] : []),
    ...judgeDevice(device, identity.deviceId),
    judgeRecord(certificate, identity, device),
  ];
}

export type AdmissionVerdict =
  { standing: Standing; refusal?: undefined; because: Verdict | undefined } | { refusal: Refusal; because: Verdict };

/** What the rules come to: one that blocks for good refuses, one that waits for an operator leaves the control lane. */
export function admissionOf(verdicts: readonly Verdict[]): AdmissionVerdict {
  const blocking = verdicts.filter(({ verdict }) => verdict === 'blocks');
  const [because] = blocking;
  for (const verdict of blocking) {
    if (verdict.standing === undefined && verdict.refusal !== undefined)
      return { refusal: verdict.refusal, because: verdict };
  }
  return { standing: because?.standing ?? 'accepted', because };
}

/** A gateway may not have heard yet that an authority is not trusted any more. */
export function judgeAuthority(authority: AuthorityRow | undefined, id: string): Verdict {
  const rule = 'authority';
  switch (authority?.state) {
    case 'active':
    case 'overlap':
    case 'trusted':
      return ok(rule, `signed by ${id}`);
    case 'retired':
      return blocks(rule, `${id} is retired since ${endOf(authority)}`, 'expired', retryAfter.finalMs);
    case 'removed':
      return blocks(rule, `${id} is removed since ${endOf(authority)}`, 'revoked', retryAfter.finalMs);
    default:
      return blocks(rule, `${id} is not known`, 'unknown-device', retryAfter.finalMs);
  }
}

function endOf({ endedAtMs = 0 }: AuthorityRow): string {
  return isoDate(endedAtMs);
}

/**
 * A registered authority gives no certificate for a device that came another way: neither one of ours, nor one of
 * another such authority, nor one whose id was made from other names.
 */
export function judgeNamespace({ identity, device, known }: IdentityQuestion): Verdict {
  const rule = 'namespace';
  const { deviceId, authority, subject } = identity;
  const refuse = (detail: string): Verdict => blocks(rule, detail, 'unknown-device', retryAfter.finalMs);
  const other = known.find(({ issuer }) => issuer !== authority);
  if (other !== undefined) return refuse(`${deviceId} has a certificate of ${other.issuer}`);
  if (known.some((one) => one.subject !== subject))
    return refuse(`${deviceId} is taken by other names of ${authority}`);
  if (device !== undefined && known.length === 0) return refuse(`${deviceId} did not come from ${authority}`);
  return ok(rule, `${deviceId} is of ${authority}`);
}

/** An agent that is too old to be served is told the least version, so that its updater knows what to look for. */
export function judgeAgent(agentVersion: string, minAgentVersion: string | undefined): Verdict {
  const rule = 'agent-version';
  if (minAgentVersion === undefined) return ok(rule, `any agent is served, this is ${agentVersion}`);
  const parsed = semver.valid(agentVersion);
  if (parsed !== null && semver.gte(parsed, minAgentVersion)) return ok(rule, `${agentVersion} is served`);
  return blocks(rule, minAgentVersion, 'unsupported-agent', retryAfter.agentMs);
}

/** An operator who knows which of two copies is the real one has pinned its history; any other is kept out. */
export function judgePin(pin: string | undefined, instanceId: string): Verdict {
  const rule = 'pinned-instance';
  if (pin === undefined || pin === instanceId) return ok(rule, pin === undefined ? 'any history' : `${pin} alone`);
  return blocks(rule, `${instanceId} is not the accepted ${pin}`, 'quarantined', retryAfter.cloneMs);
}

export function judgeCertificate(
  certificate: CertificateRow | undefined,
  identity: Pick<PeerIdentity, 'serialHex' | 'notBeforeMs' | 'notAfterMs'>,
  nowMs: number,
): Verdict {
  const rule = 'certificate';
  if (certificate?.revokedAtMs !== undefined) {
    const reason = certificate.revocationReason ?? 'no reason given';
    return blocks(rule, `${identity.serialHex} is revoked: ${reason}`, 'revoked', retryAfter.finalMs);
  }
  if (identity.notAfterMs <= nowMs) {
    return blocks(rule, `expired on ${isoDate(identity.notAfterMs)}`, 'expired', retryAfter.finalMs);
  }
  if (identity.notBeforeMs > nowMs) {
    return blocks(rule, `not valid before ${isoDate(identity.notBeforeMs)}`, 'expired', retryAfter.finalMs);
  }
  return ok(rule, `valid until ${isoDate(identity.notAfterMs)}`);
}

/** The overlap is for a device that falls back on what it had; behind it the old key is worth nothing. */
export function judgeReplaced(certificate: CertificateRow | undefined, overlapMs: number, nowMs: number): Verdict {
  const rule = 'replaced';
  const { replacedBy, replacedAtMs = 0 } = certificate ?? {};
  if (replacedBy === undefined) return ok(rule, 'no newer certificate was proven');
  if (nowMs < replacedAtMs + overlapMs) {
    return ok(rule, `replaced by ${replacedBy}; taken until ${isoDate(replacedAtMs + overlapMs)}`);
  }
  return blocks(rule, `replaced by ${replacedBy}`, 'replaced', retryAfter.finalMs);
}

export function judgeDevice(device: DeviceRow | undefined, deviceId: string): Verdict[] {
  if (device === undefined) {
    const unknown = blocks('known', `${deviceId} is not in the registry`, 'unknown-device', retryAfter.pendingMs);
    return [{ ...unknown, standing: 'pending' }];
  }
  const known = ok('known', `in the registry since ${isoDate(device.createdAtMs)}`);
  const state = (code: RefuseCode, retryAfterMs: number, why = ''): Verdict[] => [
    known,
    blocks('accepted', `the device is ${device.state}${why === '' ? '' : `: ${why}`}`, code, retryAfterMs),
  ];
  const waits = (
    standing: Exclude<Standing, 'accepted'>,
    code: RefuseCode,
    retryAfterMs: number,
    why?: string,
  ): Verdict[] =>
    state(code, retryAfterMs, why).map((verdict) =>
      verdict.verdict === 'blocks' ? { ...verdict, standing } : verdict,
    );
  switch (device.state) {
    case 'accepted':
      return [known, ok('accepted', 'an operator or a signature accepted it')];
    case 'pending':
      return waits('pending', 'unknown-device', retryAfter.pendingMs);
    case 'rejected':
      return state('unknown-device', retryAfter.finalMs);
    case 'quarantined':
      return waits('quarantined', 'quarantined', retryAfter.quarantinedMs, device.hold?.reason);
    case 'revoked':
      return state(
        'revoked',
        retryAfter.finalMs,
        device.replacedBy === undefined ? '' : `${device.replacedBy} has taken its place`,
      );
  }
}

/**
 * A certificate that our authority signed but that nobody put on record waits like an unknown device; for a device that
 * was accepted with another one it gets no line at all, or it could push out the one that is known.
 */
function judgeRecord(
  certificate: CertificateRow | undefined,
  identity: PeerIdentity,
  device: DeviceRow | undefined,
): Verdict {
  const rule = 'certificate-record';
  if (certificate === undefined) {
    const unknown = blocks(rule, `${identity.serialHex} is not on record`, 'unknown-device', retryAfter.pendingMs);
    return device === undefined || device.state === 'pending' ? { ...unknown, standing: 'pending' } : unknown;
  }
  if (certificate.issuer !== identity.authority) {
    const detail = `${identity.serialHex} is on record as signed by ${certificate.issuer}`;
    return blocks(rule, detail, 'unknown-device', retryAfter.finalMs);
  }
  if (certificate.deviceId !== identity.deviceId) {
    return blocks(rule, `${identity.serialHex} is of another device`, 'unknown-device', retryAfter.finalMs);
  }
  return ok(rule, `issued on ${isoDate(certificate.issuedAtMs)}`);
}

/**
 * Does the device still write the history that we know? `cursors` are ours by instance id. A device that was set back
 * (its next seq is not above what we hold) would give stored numbers to new events: it has to take a new id first.
 */
export function judgeInstance(
  instanceId: string,
  nextSeq: readonly number[],
  cursors: ReadonlyMap<string, LaneCursor>,
): Verdict {
  const rule = 'history';
  const cursor = cursors.get(instanceId);
  if (cursor === undefined) {
    if (cursors.size < maxInstances) return ok(rule, `${instanceId} is new`);
    return blocks(rule, `${cursors.size} histories of one identity`, 'quarantined', retryAfter.quarantinedMs);
  }
  const lane = cursor.findIndex((seq, index) => (nextSeq[index] ?? 1) <= seq);
  if (lane < 0) return ok(rule, `${instanceId} goes on`);
  const detail = `lane ${lane}: next is ${nextSeq[lane] ?? 1}, stored ${cursor[lane]}`;
  return blocks(rule, detail, 'instance-mismatch', retryAfter.instanceMs);
}

function ok(rule: string, detail: string): Verdict {
  return { rule, verdict: 'ok', detail };
}

function blocks(rule: string, detail: string, code: RefuseCode, retryAfterMs: number): Verdict {
  return { rule, verdict: 'blocks', detail, refusal: { code, retryAfterMs, detail: detail.slice(0, 64) } };
}

function isoDate(ms: number): string {
  return new Date(ms).toISOString();
}
