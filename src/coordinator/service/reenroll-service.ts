/** A device that speaks EST renews: it shows the certificate that it has and a request for the next. */
import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { issueDeviceCertificate, msPerDay, parseCsr, parseDeviceIdentity } from '../../pki/index.ts';
import { createPeerReader } from '../../pki/peer-reader.ts';
import { trustedAuthorities } from '../core/authority-operation.ts';
import { putCertificate } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';
import { admissionOf, judgeIdentity } from '../identity/judge-connect.ts';
import { renewedLifeMs } from '../renewal/reduce-renewal.ts';
import { audit, type ServiceContext } from './context.ts';
import { fitRenewal } from './fit-profile.ts';

/** The old certificate stays good until it ends or is revoked. @throws FlotillaError for whoever could not connect either */
export async function reenroll(
  context: ServiceContext,
  { csr, certificate, address }: { csr: string; certificate: X509Certificate; address: string },
): Promise<{ certificatePem: string }> {
  const { fleetId, core } = context;
  const identity = createPeerReader(fleetId, trustedAuthorities(core.state))(certificate);
  const { deviceId } = identity;
  const { publicKey, commonName } = await parseCsr(csr);
  if (commonName !== deviceId) {
    throw new FlotillaError('usage', 'enrollment-name', 'a renewal is for the same name', {
      seen: commonName === undefined ? 'no single CN' : `CN=${commonName.slice(0, 80)}`,
      expected: `CN=${deviceId}`,
    });
  }
  const judge = ({ state, nowMs }: Turn): void => {
    const { devices, certificates, authorities } = state;
    const row = certificates.get(identity.serialHex);
    const authority = authorities.get(identity.authority);
    const verdict = admissionOf(
      judgeIdentity({
        fleetId,
        identity,
        authority,
        device: devices.get(deviceId),
        certificate: row,
        known: [],
        overlapMs: context.renewal.overlapMs,
        nowMs,
      }),
    );
    if (verdict.because === undefined) return;
    throw new FlotillaError('refused', 'enrollment-device-state', 'the device may not renew', {
      seen: verdict.because.detail,
      expected: 'an accepted device with a good certificate',
    });
  };
  const before = await core.submit((turn) => {
    judge(turn); // and so it is on record
    return turn.state.certificates.get(identity.serialHex)!;
  });
  const fitted = await fitRenewal(context, before, { publicKey, days: renewedLifeMs(before) / msPerDay });
  const { issuing } = context; // one and the same, whatever a rotation does meanwhile
  const pem = await issueDeviceCertificate(issuing, {
    fleetId,
    deviceId,
    publicKey,
    nowMs: context.clock.nowMs(),
    ...fitted,
  });
  const facts = parseDeviceIdentity(new X509Certificate(pem));
  await core.submit((turn) => {
    judge(turn);
    putCertificate(turn, {
      serial: facts.serialHex,
      issuer: issuing.id,
      ...(before.profile === undefined ? {} : { profile: before.profile }),
      deviceId,
      fingerprintSha256: facts.fingerprintSha256Hex,
      notBeforeMs: facts.notBeforeMs,
      notAfterMs: facts.notAfterMs,
      issuedAtMs: turn.nowMs,
      pem,
    });
    const payload = { serial: facts.serialHex, notAfterMs: facts.notAfterMs, by: `device:${deviceId}`, address };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-issued', key: facts.serialHex, payload });
    audit(turn, { ...context, actor: `device:${deviceId}`, from: address }, 'certificate.renew', deviceId, payload);
  });
  return { certificatePem: pem };
}
