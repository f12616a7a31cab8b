import type { Log } from '../../log.ts';
import { authorityDer } from '../../pki/authority-bundle.ts';
import { parseCertificate } from '../../pki/index.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { judgeRecovery } from '../identity/judge-recovery.ts';
import type { AskDocument } from '../recovery/ipc.ts';
import type { AnswerBody } from '../recovery/recovery-port.ts';
import type { ServiceContext } from './context.ts';
import { recordRenewal, signRenewal, type RenewalQuestion } from './issue-renewal.ts';

/**
 * A device on the recovery port: its certificate was verified there, and is held against the registry here. Judged
 * before anything of its request is looked at, and once more in the turn that puts the new certificate on record.
 */
export async function recoverDevice(
  context: ServiceContext,
  { identity, csr, address }: Omit<AskDocument, 'id'>,
  log: Log,
): Promise<AnswerBody> {
  const { core, fleetId } = context;
  const { deviceId, serialHex: renews } = identity;
  const judge = ({ devices, certificates }: typeof core.state) =>
    judgeRecovery({ fleetId, identity, device: devices.get(deviceId), certificate: certificates.get(renews) });
  const refuse = (reason: string, detail: string): AnswerBody => {
    log.warn({ device: deviceId, address, serial: renews, reason, detail }, 'recovery refused');
    return { kind: 'refused' };
  };
  const verdict = await core.submit(({ state }) => judge(state));
  if (verdict !== undefined) return refuse(verdict.reason, verdict.detail);
  const question: RenewalQuestion = { deviceId, csr: Buffer.from(csr, 'base64'), renews, via: 'recovery' };
  const signed = await signRenewal(context, question);
  if ('code' in signed) {
    refuse(signed.code, signed.message);
    if (signed.retryAfterMs === 0) return { kind: 'refused' };
    return { kind: 'later', retryAfterSeconds: Math.ceil(signed.retryAfterMs / 1_000) };
  }
  const { certificate, bundlePem } = signed;
  const changed = await core.submit((turn) => {
    const now = judge(turn.state);
    if (now !== undefined) return now;
    recordRenewal(turn, context, question, certificate);
    const payload = { serial: certificate.serial, renews, address };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.recovered', key: certificate.serial, payload });
    return undefined;
  });
  if (changed !== undefined) return refuse(changed.reason, changed.detail);
  log.info({ device: deviceId, address, serial: certificate.serial, renews }, 'recovery: a new certificate');
  return {
    kind: 'issued',
    certificate: parseCertificate(certificate.pem).raw.toString('base64'),
    authorities: authorityDer(bundlePem).map((der) => der.toString('base64')),
  };
}
