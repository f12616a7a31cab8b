/** A device's folder, from nothing to enrolled: key, certificate, authorities, agent.yaml. Repeating it is safe. */
import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { createCsr } from '../pki/create-csr.ts';
import { createKey, formatPrivateKey } from '../pki/key.ts';
import { validateDeviceId } from '../pki/profile.ts';
import { readSecretFile, writeSecretFile } from '../pki/secret-file.ts';
import { enrollDevice } from './enroll-device.ts';
import type { EnrollmentToken } from './enrollment-token.ts';

export interface DeviceFile {
  key: string;
  certificate: string;
  authority: string;
  config: string;
}

export interface EnrollFolderOption {
  dir: string;
  deviceId: string;
  hardwareSerial?: string | undefined;
  token: EnrollmentToken;
  /** Text of agent.yaml, for a folder that has none. */
  renderConfig(link: { host: string; port: number }): Promise<string>;
  /** How long an answer that says "not yet" is waited for. */
  waitMs: number;
  onWait?(seconds: number): void;
  sleep(ms: number): Promise<void>;
  signal?: AbortSignal;
}

export interface EnrolledFolder {
  files: DeviceFile;
  /** Of those, what was made or changed now. */
  written: string[];
  serialHex: string;
  notAfterMs: number;
}

/**
 * The key is made first and stays whatever happens, so that a repetition after a lost answer is for the same key and
 * gets the same certificate. A folder that is enrolled already is left alone.
 */
export async function enrollFolder(option: EnrollFolderOption): Promise<EnrolledFolder> {
  const { dir, deviceId, token } = option;
  validateDeviceId(deviceId);
  const files = deviceFiles(dir);
  const written: string[] = [];
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const privateKeyPem = await ownKey(files.key, written);
  let certificatePem = await presentCertificate(files.certificate, { privateKeyPem, deviceId });
  if (certificatePem === undefined) {
    const { hardwareSerial } = option;
    const csrPem = await createCsr(
      deviceId,
      createPrivateKey(privateKeyPem),
      hardwareSerial === undefined ? {} : { hardwareSerial },
    );
    const enrolled = await ask(option, { csrPem, privateKeyPem });
    // The authorities first: a certificate without them is of no use to the agent.
    await writeWhole(files.authority, enrolled.authorityPem);
    await writeWhole(files.certificate, enrolled.certificatePem);
    written.push(files.authority, files.certificate);
    certificatePem = enrolled.certificatePem;
  }
  if (!(await exists(files.config))) {
    await writeWhole(files.config, await option.renderConfig(token.link));
    written.push(files.config);
  }
  const certificate = new X509Certificate(certificatePem);
  return {
    files,
    written,
    serialHex: certificate.serialNumber.toLowerCase(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

export function deviceFiles(dir: string): DeviceFile {
  return {
    key: join(dir, 'device.key'),
    certificate: join(dir, 'device.crt'),
    authority: join(dir, 'authority.crt'),
    config: join(dir, 'agent.yaml'),
  };
}

async function ask(option: EnrollFolderOption, request: { csrPem: string; privateKeyPem: string }) {
  const { token, deviceId, signal } = option;
  let waitedMs = 0;
  for (;;) {
    const answer = await enrollDevice({ token, deviceId, ...request, ...(signal === undefined ? {} : { signal }) });
    if (answer.kind === 'enrolled') return answer.enrolled;
    const ms = answer.seconds * 1000;
    if (waitedMs + ms > option.waitMs) {
      throw new FlotillaError('undecided', 'enrollment-waits', 'the fleet has not decided on this device yet', {
        seen: `waited ${Math.round(waitedMs / 1000)} s`,
        suggestion: 'repeat the command later: the key stays, nothing is asked twice',
      });
    }
    option.onWait?.(answer.seconds);
    await option.sleep(ms);
    waitedMs += ms;
  }
}

async function ownKey(file: string, written: string[]): Promise<string> {
  if (await exists(file)) return (await readSecretFile(file)).toString('utf8');
  const pem = formatPrivateKey(await createKey());
  await writeSecretFile(file, pem);
  written.push(file);
  return pem;
}

/** The certificate that is there, when it is this key's and this device's and has not ended. */
async function presentCertificate(
  file: string,
  { privateKeyPem, deviceId }: { privateKeyPem: string; deviceId: string },
): Promise<string | undefined> {
  if (!(await exists(file))) return undefined;
  const pem = await readFile(file, 'utf8');
  const certificate = new X509Certificate(pem);
  const subject = `CN=${deviceId}`;
  if (certificate.subject !== subject) {
    throw new FlotillaError('refused', 'enrollment-folder-taken', `${file} is of another device`, {
      seen: certificate.subject,
      expected: subject,
      suggestion: 'name another folder, or the id that stands there',
    });
  }
  const fits = createPublicKey(createPrivateKey(privateKeyPem)).equals(certificate.publicKey);
  return fits && certificate.validToDate.getTime() > Date.now() ? pem : undefined;
}

async function exists(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'r');
    return handle.fd >= 0;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Whole or not at all, also when the power goes. */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  await rm(temporary, { force: true });
  {
    await using handle = await open(temporary, 'wx', 0o644);
    await handle.writeFile(text);
    await handle.sync();
  }
  await rename(temporary, file);
}
