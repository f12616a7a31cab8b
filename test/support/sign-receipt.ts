/** A device's key, certificate and receipt of an update from a file. */
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import {
  createDeviceKeyAndCsr,
  createIssuingAuthority,
  createKey,
  createRootAuthority,
  issueDeviceCertificate,
  parseDeviceIdentity,
} from '../../src/pki/index.ts';
import { signUpdateReceipt, type UpdateReceipt } from '../../src/pki/update-receipt.ts';
import type { ReceiptBody } from '../../src/protocol/event.ts';

export interface Signer {
  key: KeyObject;
  certificate: X509Certificate;
}

export async function enrollSigner(client: CoordinatorClient, deviceId: string): Promise<Signer & { serial: string }> {
  const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(deviceId);
  const { certificate } = await client.sign({ csr: csrPem });
  return {
    key: createPrivateKey(privateKeyPem),
    certificate: new X509Certificate(certificate.pem),
    serial: certificate.serial,
  };
}

/** Of an update that was good, as an agent says it. */
export function receiptBody(
  fleetId: string,
  deviceId: string,
  change: Partial<ReceiptBody['event']> = {},
): ReceiptBody {
  const bundleUuid = 'c4fdd982-e737-5bdd-a446-016438174a14';
  return {
    version: 1,
    fleetId,
    deviceId,
    agentVersion: '0.1.0',
    bundle: { uuid: bundleUuid, product: 'meter', version: '2.0.0', sha256: 'ab'.repeat(32), sizeBytes: 1_000 },
    event: {
      rolloutId: 'f-0123456789',
      bundleUuid,
      state: 'committed',
      attempt: 1,
      source: 'file',
      evidence: {
        before: { bootId: 'boot-1', slot: 'a', version: '1.0.0' },
        after: { bootId: 'boot-2', slot: 'b', bundleUuid, version: '2.0.0' },
        slotDigestMatches: true,
        coordinatorReached: false,
        health: [],
        downloadedBytes: 1_000,
        decidedAtMs: 1_700_000_000_000,
      },
      ...change,
    },
    signedAtMs: 1_700_000_000_000,
  };
}

export function receiptOf(body: ReceiptBody, { key, certificate }: Signer): UpdateReceipt {
  return signUpdateReceipt(JSON.stringify(body), key, certificate);
}

/** From a folder of `cert issue`. */
export async function receiptFrom(dir: string): Promise<UpdateReceipt> {
  const certificate = new X509Certificate(await readFile(join(dir, 'device.crt')));
  const key = createPrivateKey(await readFile(join(dir, 'device.key')));
  const { fleetId, deviceId } = parseDeviceIdentity(certificate);
  return receiptOf(receiptBody(fleetId, deviceId), { key, certificate });
}

/** Of a fleet that is for this alone. */
export async function issueSigner(deviceId: string, fleetId = 'harbour'): Promise<Signer> {
  const issuing = await createIssuingAuthority(await createRootAuthority({ fleetId }));
  const key = await createKey();
  const publicKey = createPublicKey(key);
  const pem = await issueDeviceCertificate(issuing, { fleetId, deviceId, publicKey, nowMs: Date.now() });
  return { key, certificate: new X509Certificate(pem) };
}
