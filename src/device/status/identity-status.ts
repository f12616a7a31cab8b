import type { AgentConfig } from '../../config/agent-config.ts';
import { loadCertificate } from '../../pki/load-identity.ts';
import { parseDeviceIdentity } from '../../pki/peer-identity.ts';

export interface IdentityStatus {
  deviceId: string;
  fleetId: string;
  /** Who signed it. */
  issuer: string;
  serialNumber: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/** Who the device is, by its certificate. Throws where that can't be read. */
export async function readIdentityStatus({ identity }: Pick<AgentConfig, 'identity'>): Promise<IdentityStatus> {
  const { certificate } = await loadCertificate(identity.certificate);
  return {
    ...pick(parseDeviceIdentity(certificate)),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    serialNumber: certificate.serialNumber.toLowerCase(),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

function pick({ deviceId, fleetId }: { deviceId: string; fleetId: string }): { deviceId: string; fleetId: string } {
  return { deviceId, fleetId };
}
