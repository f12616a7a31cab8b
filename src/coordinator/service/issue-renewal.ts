import { createHash, type KeyObject } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { issueDeviceCertificate, msPerDay, parseCertificate, parseCsr, parseDeviceIdentity } from '../../pki/index.ts';
import { formatPem } from '../../pki/key.ts';
import type { CertificateRow } from '../../store/index.ts';
import type { CoreState } from '../core/core-state.ts';
import { putCertificate } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';
import { isInUse } from '../core/renewal-operation.ts';
import { renewedLifeMs } from '../renewal/reduce-renewal.ts';
import { audit, type ServiceContext } from './context.ts';
import { fitRenewal } from './fit-profile.ts';

export interface RenewalQuestion {
  deviceId: string;
  /** PKCS#10, DER. */
  csr: Uint8Array;
  /** The certificate that the device has proved itself with. */
  renews: string;
  via: 'link' | 'recovery';
}

/** Why not; `retryAfterMs` is 0 where waiting helps nothing. */
export interface RenewalRefusal {
  code: string;
  message: string;
  retryAfterMs: number;
}

/** Judged: a certificate that was issued for this key already, or a new one that is not on record yet. */
export interface SignedRenewal {
  certificate: CertificateRow;
  /** What a device has to trust with it, PEM. */
  bundlePem: string;
}

const dayMs = 86_400_000;

/**
 * Judges a request for a renewal and signs it. The same request again, after an answer that got lost, gets the same
 * certificate; a key that stands in any other certificate of the fleet is refused.
 */
export async function signRenewal(
  context: ServiceContext,
  { deviceId, csr, renews }: RenewalQuestion,
): Promise<SignedRenewal | RenewalRefusal> {
  const { core, issuing, clock, fleetId } = context;
  let publicKey: KeyObject;
  try {
    const parsed = await parseCsr(formatPem('CERTIFICATE REQUEST', csr));
    if (parsed.commonName !== deviceId) return refusal('other-device', `the request is for CN=${parsed.commonName}`);
    publicKey = parsed.publicKey;
  } catch (error) {
    if (error instanceof FlotillaError) return refusal(error.code, error.message);
    throw error;
  }
  const keySha256 = keyDigest(publicKey);
  const known = await core.store.certificateOfKey(keySha256);
  const { state } = core;
  const before = state.certificates.get(renews);
  if (before === undefined) return refusal('unknown-certificate', `${renews} is not on record`);
  if (state.authorities.get(before.issuer)?.kind === 'registered') {
    return refusal('not-ours', `${before.issuer} signs for this device, and has to renew its certificate`);
  }
  const issued = known === undefined ? undefined : state.certificates.get(known);
  const isRepeated =
    issued?.deviceId === deviceId && issued.renews === renews && issued.provenAtMs === undefined && isInUse(issued);
  // After a rotation the one that was issued would not fit the authorities that go with it.
  if (isRepeated && issued.issuer === issuing.id) return { certificate: issued, bundlePem: issuing.bundlePem };
  if (!isRepeated && (known !== undefined || isKeyOf(before, publicKey))) {
    return refusal('key-used', 'the key of the request was used before: a renewal takes a new one');
  }
  const waitMs = overRateMs(state, deviceId, context.renewal.perDay, clock.nowMs());
  if (waitMs > 0) return { ...refusal('too-often', 'too many certificates within a day'), retryAfterMs: waitMs };
  let fitted: Awaited<ReturnType<typeof fitRenewal>>;
  try {
    fitted = await fitRenewal(context, before, { publicKey, days: renewedLifeMs(before) / msPerDay });
  } catch (error) {
    if (error instanceof FlotillaError && error.fault === 'refused') return refusal(error.code, error.message);
    throw error;
  }
  const pem = await issueDeviceCertificate(issuing, {
    fleetId,
    deviceId,
    publicKey,
    nowMs: clock.nowMs(),
    ...fitted,
  });
  const identity = parseDeviceIdentity(parseCertificate(pem));
  const certificate: CertificateRow = {
    serial: identity.serialHex,
    issuer: issuing.id,
    ...(before.profile === undefined ? {} : { profile: before.profile }),
    deviceId,
    fingerprintSha256: identity.fingerprintSha256Hex,
    notBeforeMs: identity.notBeforeMs,
    notAfterMs: identity.notAfterMs,
    issuedAtMs: clock.nowMs(),
    pem,
    renews,
    keySha256,
  };
  return { certificate, bundlePem: issuing.bundlePem };
}

/** Puts it on record, in the turn that decides that it is given out. */
export function recordRenewal(
  turn: Turn,
  context: ServiceContext,
  { deviceId, renews, via }: RenewalQuestion,
  certificate: CertificateRow,
): void {
  if (turn.state.certificates.has(certificate.serial)) return;
  putCertificate(turn, certificate);
  const { serial, notAfterMs } = certificate;
  const by = `device:${deviceId}`;
  const payload = { serial, notAfterMs, renews, via, by };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-issued', key: serial, payload });
  audit(turn, { ...context, actor: by }, 'certificate.renew', deviceId, payload);
}

export function keyDigest(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Certificates that were issued before keys were noted, and that are still here. */
function isKeyOf({ pem }: CertificateRow, publicKey: KeyObject): boolean {
  return pem !== '' && parseCertificate(pem).publicKey.equals(publicKey);
}

/** How long until the device may have one more; 0: now. */
function overRateMs({ serials, certificates }: CoreState, deviceId: string, perDay: number, nowMs: number): number {
  const recent = (serials.get(deviceId) ?? [])
    .map((serial) => certificates.get(serial)!)
    .filter(({ renews, issuedAtMs }) => renews !== undefined && issuedAtMs > nowMs - dayMs)
    .map(({ issuedAtMs }) => issuedAtMs);
  return recent.length < perDay ? 0 : recent.toSorted((a, b) => b - a)[perDay - 1]! + dayMs - nowMs;
}

function refusal(code: string, message: string): RenewalRefusal {
  return { code, message, retryAfterMs: 0 };
}
