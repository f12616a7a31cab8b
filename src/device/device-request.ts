import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { createCsr } from '../pki/create-csr.ts';
import { createKey, formatPrivateKey } from '../pki/key.ts';
import { parsePrivateKey } from '../pki/parse-private-key.ts';
import { validateDeviceId } from '../pki/profile.ts';
import { readSecretFile, writeSecretFile } from '../pki/secret-file.ts';

export interface DeviceRequest {
  deviceId: string;
  files: { key: string; csr: string };
  /** The key was there already; the request is for it. */
  keyKept: boolean;
  csrPem: string;
}

/**
 * A key (mode 0600, made here, never leaves) and a request for its certificate, in that folder. A key that is there is
 * kept: the request can be made again at any time.
 */
export async function makeDeviceRequest(directory: string, deviceId: string): Promise<DeviceRequest> {
  validateDeviceId(deviceId);
  const files = { key: join(directory, 'device.key'), csr: join(directory, 'device.csr') };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await readFile(files.key).then(
    () => true,
    (error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw new FlotillaError('usage', 'device-key-unreadable', `${files.key} can't be read`, {
        seen: systemErrorCode(error) ?? String(error),
        cause: error,
      });
    },
  );
  const privateKey = found
    ? parsePrivateKey((await readSecretFile(files.key)).toString('utf8'), files.key)
    : await createKey();
  const csrPem = await createCsr(deviceId, privateKey);
  if (!found) await writeSecretFile(files.key, formatPrivateKey(privateKey));
  await replaceFile(files.csr, csrPem);
  return { deviceId, files, keyKept: found, csrPem };
}

/** Never half written under its name. */
async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await writeFile(fresh, text);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
