/** A device asks for its first certificate: judged, signed, put on record, in this order. */
import { createPublicKey, timingSafeEqual, X509Certificate } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { isDeviceId, issueDeviceCertificate, keySha256Hex, parseCsr, parseDeviceIdentity } from '../../pki/index.ts';
import type { CertificateRow, EnrollmentTokenRow } from '../../store/row.ts';
import type { CoreState } from '../core/core-state.ts';
import { changeDevice, putCertificate, putDevice } from '../core/device-operation.ts';
import { bindGrains, putPreregistration, putToken } from '../core/enroll-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';
import { judgeEnrollment, type EnrollmentQuestion, type EnrollmentVerdict } from '../enrollment/judge-enrollment.ts';
import { newDevice } from '../registry/reduce-device.ts';
import { audit, type ServiceContext } from './context.ts';
import { fitToProfile } from './fit-profile.ts';
import { hashSecret } from './enrollment-service.ts';

export interface EnrollRequest {
  csr: string;
  /** Of HTTP's basic authentication: id and secret of a token. */
  credentials: { id: string; secret: string } | undefined;
  address: string;
}

export interface Enrolled {
  deviceId: string;
  certificatePem: string;
  state: 'accepted' | 'pending';
}

/** `waitSeconds`: the application has not decided yet; the device asks again. */
export type EnrollReply = Enrolled | { waitSeconds: number };

/** @throws FlotillaError: forbidden `enrollment-unauthorized`, else the code of the rule that said no */
export async function enroll(context: ServiceContext, request: EnrollRequest): Promise<EnrollReply> {
  const { publicKey, commonName, hardwareSerial } = await parseCsr(request.csr);
  if (commonName === undefined || !isDeviceId(commonName)) {
    throw new FlotillaError('usage', 'enrollment-name', 'the request names no device', {
      seen: commonName === undefined ? 'no single CN in its subject' : `CN=${commonName.slice(0, 80)}`,
      expected: 'CN=<device id>: one to 63 of a-z 0-9 . _ - with a letter or digit first',
    });
  }
  const deviceId = commonName;
  const keySha256 = keySha256Hex(publicKey);
  const judge = (state: CoreState, nowMs: number): EnrollmentVerdict =>
    judgeEnrollment(questionOf(state, { deviceId, keySha256, hardwareSerial, nowMs, request }));
  // Before the work of signing; judged again where it counts.
  const first = await context.core.submit((turn) => judge(turn.state, turn.nowMs));
  if (first.kind === 'refuse') throw await refused(context, deviceId, request, first);
  const approval =
    first.kind === 'issue' ? await approve(context, request, { deviceId, keySha256, hardwareSerial }, first) : {};
  if (approval.waitSeconds !== undefined) return { waitSeconds: approval.waitSeconds };
  const fitted = await fitToProfile(context, { deviceId, publicKey });
  const { issuing } = context; // one and the same, whatever a rotation does meanwhile
  const pem = await issueDeviceCertificate(issuing, {
    fleetId: context.fleetId,
    deviceId,
    publicKey,
    nowMs: context.clock.nowMs(),
    ...fitted,
  });
  const facts = parseDeviceIdentity(new X509Certificate(pem));
  const result = await context.core.submit((turn): Enrolled | Extract<EnrollmentVerdict, { kind: 'refuse' }> => {
    const verdict = judge(turn.state, turn.nowMs);
    if (verdict.kind === 'refuse') return verdict;
    const state = (): Enrolled['state'] =>
      turn.state.devices.get(deviceId)?.state === 'pending' ? 'pending' : 'accepted';
    if (verdict.kind === 'again') {
      return { deviceId, certificatePem: turn.state.certificates.get(verdict.serial)!.pem, state: state() };
    }
    const certificate: CertificateRow = {
      serial: facts.serialHex,
      issuer: issuing.id,
      deviceId,
      fingerprintSha256: facts.fingerprintSha256Hex,
      notBeforeMs: facts.notBeforeMs,
      notAfterMs: facts.notAfterMs,
      issuedAtMs: turn.nowMs,
      pem,
    };
    const held = approval.isHeld === true && turn.state.devices.get(deviceId)?.state !== 'accepted';
    letIn(turn, context, { certificate, verdict: held ? { ...verdict, state: 'pending' } : verdict, request });
    return { deviceId, certificatePem: pem, state: state() };
  });
  if ('kind' in result) throw await refused(context, deviceId, request, result);
  return result;
}

/** The application's say: yes, no, not yet (no, with a time to come back), or only as far as an operator. */
async function approve(
  { enrollment, fleetId }: ServiceContext,
  { credentials, address }: EnrollRequest,
  { deviceId, keySha256, hardwareSerial }: Pick<EnrollmentQuestion, 'deviceId' | 'keySha256' | 'hardwareSerial'>,
  { tags, usesToken }: Extract<EnrollmentVerdict, { kind: 'issue' }>,
): Promise<{ waitSeconds?: number; isHeld?: boolean }> {
  const answer = await enrollment?.gate?.ask({
    version: 1,
    kind: 'enroll',
    fleetId,
    deviceId,
    keySha256,
    ...(hardwareSerial === undefined ? {} : { hardwareSerial }),
    address,
    by: usesToken && credentials !== undefined ? `token:${credentials.id}` : 'manifest',
    tags,
  });
  if (answer === undefined || answer.decision === 'allow') return {};
  if (answer.decision === 'quarantine') return { isHeld: true };
  if (answer.retryAfterSeconds !== undefined) return { waitSeconds: answer.retryAfterSeconds };
  throw new FlotillaError('refused', 'enrollment-denied', 'the application does not let this device in', {
    seen: answer.reason ?? 'no reason given',
  });
}

function letIn(
  turn: Turn,
  context: ServiceContext,
  how: { certificate: CertificateRow; verdict: Extract<EnrollmentVerdict, { kind: 'issue' }>; request: EnrollRequest },
): void {
  const { certificate, verdict, request } = how;
  const { deviceId } = certificate;
  const { devices, enrollmentTokens, preregistrations } = turn.state;
  if (devices.has(deviceId)) changeDevice(turn, deviceId, { kind: 'certify', state: verdict.state });
  else putDevice(turn, newDevice(deviceId, verdict.state, turn.nowMs));
  changeDevice(turn, deviceId, { kind: 'tag', set: verdict.tags, unset: [] });
  putCertificate(turn, certificate);
  if (Object.keys(verdict.bound).length > 0) bindGrains(turn, deviceId, verdict.bound);
  const token = request.credentials === undefined ? undefined : enrollmentTokens.get(request.credentials.id);
  if (verdict.usesToken && token !== undefined) {
    putToken(turn, { ...token, uses: token.uses + 1, lastUsedAtMs: turn.nowMs });
  }
  const expected = preregistrations.get(deviceId);
  if (expected !== undefined && expected.enrolledAtMs === undefined) {
    putPreregistration(turn, { ...expected, enrolledAtMs: turn.nowMs });
  }
  const by = verdict.usesToken && token !== undefined ? `token:${token.id}` : 'manifest';
  const { serial, notAfterMs } = certificate;
  const payload = { serial, notAfterMs, by, address: request.address, state: verdict.state };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.enrolled', key: serial, payload });
  audit(turn, { ...context, actor: by, from: request.address }, 'device.enroll', deviceId, payload);
}

function questionOf(
  state: CoreState,
  asked: Pick<EnrollmentQuestion, 'deviceId' | 'keySha256' | 'hardwareSerial' | 'nowMs'> & { request: EnrollRequest },
): EnrollmentQuestion {
  const { request, ...facts } = asked;
  const { deviceId, nowMs } = facts;
  const certificates = (state.serials.get(deviceId) ?? [])
    .map((serial) => state.certificates.get(serial)!)
    .filter(({ revokedAtMs, notAfterMs, pem }) => revokedAtMs === undefined && notAfterMs > nowMs && pem !== '')
    .map(({ serial, pem }) => ({ serial, keySha256: keySha256Hex(createPublicKey(pem)) }));
  return {
    ...facts,
    token: authenticate(state, request.credentials),
    preregistration: state.preregistrations.get(deviceId),
    keyOwner: state.keyOwners.get(facts.keySha256),
    device: state.devices.get(deviceId),
    certificates,
  };
}

/** The token whose secret was shown. An unknown id takes the same steps as a wrong secret. */
function authenticate(state: CoreState, credentials: EnrollRequest['credentials']): EnrollmentTokenRow | undefined {
  if (credentials === undefined) return undefined;
  const token = state.enrollmentTokens.get(credentials.id);
  const expected = Buffer.from(token?.secretSha256 ?? '0'.repeat(64), 'hex');
  const shown = Buffer.from(hashSecret(credentials.secret), 'hex');
  if (timingSafeEqual(expected, shown) && token !== undefined) return token;
  throw new FlotillaError('forbidden', 'enrollment-unauthorized', 'the enrollment token is not good', {
    expected: 'id and secret of a token that flotilla enroll token add has printed',
  });
}

/** Somebody with a good token was turned away: that is worth a row of the log. A stranger is not. */
async function refused(
  context: ServiceContext,
  deviceId: string,
  { credentials, address }: EnrollRequest,
  { code, seen, expected }: Extract<EnrollmentVerdict, { kind: 'refuse' }>,
): Promise<FlotillaError> {
  if (credentials !== undefined) {
    await context.core.submit((turn) => {
      const payload = { deviceId, code, seen, token: credentials.id, address };
      appendOwnEvent(turn, { deviceId: '', type: 'coordinator.enrollment-refused', key: credentials.id, payload });
    });
  }
  const fault = code === 'enrollment-unauthorized' ? 'forbidden' : 'refused';
  return new FlotillaError(fault, code, 'the device is not enrolled', { seen, expected });
}
