/** The folder of one simulated machine: an agent's configuration and keys, and a disk image that is written for real. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { applyBundle, readPublicKey } from '../../../src/firmware/index.ts';
import { createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import { writeIdentity } from '../../support/short-lived.ts';

/** `bad`: its new slot does not pass its health check. `late` comes back, `gone` does not. */
export type DeviceRole = 'good' | 'bad' | 'late' | 'gone' | 'flapping' | 'deferring';

export const fileName = {
  disk: 'disk.img',
  bootId: 'boot_id',
  slot: 'slot',
  reboot: 'reboot',
  role: 'role',
  log: 'agent.log',
} as const;

/** Of the example product's layout. */
export const environmentPlace = { blockOffset: 1024, blockCount: 16, blockOffsetRedund: 1280 };

export interface FolderOption {
  id: string;
  dir: string;
  role: DeviceRole;
  port: number;
  client: Pick<CoordinatorClient, 'sign'>;
  bundle: string;
  publicKeyPath: string;
}

export async function makeDevice({ id, dir, role, port, client, bundle, publicKeyPath }: FolderOption): Promise<void> {
  await mkdir(dir);
  const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(id);
  const { certificate, authority } = await client.sign({ csr: csrPem });
  await writeIdentity(dir, { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority });
  const publicKeys = [await readPublicKey(publicKeyPath)];
  await applyBundle({ path: bundle, destinationPath: join(dir, fileName.disk), task: 'complete', publicKeys });
  await writeFile(join(dir, fileName.role), role);
  const check = role === 'bad' ? 'false' : 'true';
  const { blockOffset, blockCount, blockOffsetRedund } = environmentPlace;
  const yaml = [
    `coordinator: { host: 127.0.0.1, port: ${port} }`,
    `boot: { idFile: ${fileName.bootId}, slotFile: ${fileName.slot} }`,
    'link: { backoff: { firstMinMs: 50, firstMaxMs: 500, factor: 2, maxMs: 5000 } }',
    'update:',
    '  product: harbour-meter',
    '  platform: hm-gateway-1',
    `  keys: ['${publicKeyPath}']`,
    `  destination: ${fileName.disk}`,
    `  slot: { backend: uboot, blockOffset: ${blockOffset}, blockCount: ${blockCount}, blockOffsetRedund: ${blockOffsetRedund} }`,
    `  reboot: { command: [touch, '${join(dir, fileName.reboot)}'], timeoutSeconds: 60 }`,
    `  health: { checks: [{ name: well, command: ['${check}'] }], soakSeconds: 0, connectTimeoutSeconds: 120 }`,
  ];
  await writeFile(join(dir, 'agent.yaml'), `${yaml.join('\n')}\n`);
}
