import { X509Certificate } from 'node:crypto';
import type { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import type { PeerIdentity } from '../../../src/coordinator/gateway/port.ts';
import { createDeviceKeyAndCsr, parseDeviceIdentity } from '../../../src/pki/index.ts';

/** A real key, request and certificate for a device. */
export async function enroll(client: CoordinatorClient, id: string, pending = false): Promise<PeerIdentity> {
  const { csrPem } = await createDeviceKeyAndCsr(id);
  const { certificate } = await client.sign({ csr: csrPem, ...(pending ? { pending } : {}) });
  return { ...parseDeviceIdentity(new X509Certificate(certificate.pem)), authority: certificate.issuer };
}
