/** A device of a test fleet whose certificate ends within seconds: signed with the fleet's own issuing key, by the library. */
import { createPublicKey } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKey, formatPrivateKey, issueDeviceCertificate, loadIssuingAuthority } from '../../src/pki/index.ts';
import type { TestFleet } from './fleet.ts';
import type { DevicePems } from './link-bench.ts';

export async function shortLived(
  fleet: Pick<TestFleet, 'dir'>,
  deviceId: string,
  seconds: number,
): Promise<DevicePems> {
  const pki = join(fleet.dir, 'pki');
  const issuing = await loadIssuingAuthority({
    certificateFile: join(pki, 'issuing.crt'),
    keyFile: join(pki, 'issuing.key'),
  });
  const key = await createKey();
  const certificatePem = await issueDeviceCertificate(issuing, {
    fleetId: issuing.fleetId,
    deviceId,
    publicKey: createPublicKey(key),
    nowMs: Date.now(),
    validityDays: seconds / 86_400,
  });
  const authorityPem = await readFile(join(pki, 'authority.crt'), 'utf8');
  return { keyPem: formatPrivateKey(key), certificatePem, authorityPem };
}

/** As `agent init` and `cert sign` would have left it. */
export async function writeIdentity(
  directory: string,
  { keyPem, certificatePem, authorityPem }: DevicePems,
): Promise<void> {
  await writeFile(join(directory, 'device.key'), keyPem, { mode: 0o600 });
  await chmod(join(directory, 'device.key'), 0o600);
  await writeFile(join(directory, 'device.crt'), certificatePem);
  await writeFile(join(directory, 'authority.crt'), authorityPem);
}
