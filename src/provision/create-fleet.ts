/** `flotilla init`: a new fleet in its folder, whole or not at all. */
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Document, Pair, parseDocument, type Scalar } from 'yaml';
import { coordinatorConfigName } from '../config/fleet-dir.ts';
import { type FleetLayout, fleetLayout } from '../config/fleet-layout.ts';
import { packageRoot } from '../config/package-root.ts';
import { maxSocketPathBytes } from '../config/rule.ts';
import { defaultCoordinatorConfig, defaultRecoveryConfig } from '../config/coordinator-config.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { writeKeyPair } from '../firmware/archive/key.ts';
import { createIssuingAuthority, createRootAuthority, saveAuthorityKey } from '../pki/authority.ts';
import { type IssuedPair, issueCoordinatorCertificate, issueOperatorCertificate } from '../pki/issue.ts';
import { formatPrivateKey } from '../pki/key.ts';
import { writeSecretFile } from '../pki/secret-file.ts';

export interface CreateFleetOption {
  directory: string;
  fleetId: string;
  /** Names and addresses for the coordinator's certificate. */
  hosts: readonly string[];
  /** 0 takes a free one at each start. */
  port: number;
  /** Encrypts the root key; undefined leaves it readable by its owner. */
  passphrase: string | undefined;
  nowMs: number;
}

export interface CreatedFleet {
  fleetId: string;
  /** Absolute. */
  directory: string;
  rootKeyIsEncrypted: boolean;
  layout: FleetLayout;
}

/**
 * Makes authorities, certificates, the signing key and coordinator.yaml. Everything is built in a temporary folder
 * beside the target and moved into place at the end: a failure leaves nothing behind, and nothing is ever replaced
 * (`fleet-target-exists`).
 */
export async function createFleet(option: CreateFleetOption): Promise<CreatedFleet> {
  const directory = resolve(option.directory);
  const layout = fleetLayout(directory);
  await checkFleetTarget(directory);
  const isNew = !existsSync(directory);
  // On the same file system as the target, so that a rename is enough.
  const around = isNew ? dirname(directory) : directory;
  await mkdir(around, { recursive: true }).catch((error: unknown) => refuseUnwritable(around, error));
  const staging = await mkdtemp(join(around, `.${basename(directory)}-init-`)).catch((error: unknown) =>
    refuseUnwritable(around, error),
  );
  try {
    await writeFleet(fleetLayout(staging), option);
    if (isNew) await moveWhole(staging, directory);
    else await moveEntries(staging, directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return { fleetId: option.fleetId, directory, rootKeyIsEncrypted: option.passphrase !== undefined, layout };
}

/** Whether a fleet may be made there, before anybody is asked for a passphrase. */
export async function checkFleetTarget(directory: string): Promise<void> {
  const target = resolve(directory);
  refuseLongSocketPath(target);
  await refuseExisting(target, fleetLayout(target));
}

async function writeFleet(layout: FleetLayout, option: CreateFleetOption): Promise<void> {
  const { fleetId, hosts, passphrase, nowMs } = option;
  for (const folder of [layout.pki, layout.keys, layout.data, layout.run]) await mkdir(folder, { mode: 0o700 });
  const root = await createRootAuthority({ fleetId });
  const issuing = await createIssuingAuthority(root);
  const coordinator = await issueCoordinatorCertificate(issuing, { fleetId, hosts });
  const operator = await issueOperatorCertificate(issuing, { fleetId, name: 'admin', role: 'admin', nowMs });

  await saveAuthorityKey(root, passphrase === undefined ? layout.rootKey : layout.rootKeyEncrypted, passphrase);
  await saveAuthorityKey(issuing, layout.issuingKey);
  await writeFile(layout.rootCertificate, root.certificatePem);
  await writeFile(layout.issuingCertificate, issuing.certificatePem);
  await writeFile(layout.authorityBundle, issuing.certificatePem + root.certificatePem);
  await writePair(layout.coordinatorCertificate, layout.coordinatorKey, coordinator);
  await writePair(layout.operatorCertificate, layout.operatorKey, operator);
  await writeKeyPair(layout.firmwarePrivateKey.replace(/\.priv$/, ''));
  // A fleet's folder is often kept in git: its keys must not be.
  await writeFile(join(layout.pki, '.gitignore'), '*.key\n*.key.enc\n');
  await writeFile(join(layout.keys, '.gitignore'), '*.priv\n');
  await copyFile(join(packageRoot(), 'templates', 'profiles.yaml'), layout.profiles);
  await writeFile(layout.config, await renderConfig(option));
}

async function writePair(certificateFile: string, keyFile: string, pair: IssuedPair): Promise<void> {
  await writeSecretFile(keyFile, formatPrivateKey(pair.privateKey));
  await writeFile(certificateFile, pair.certificatePem);
}

/** The template's text with this fleet's values; its comments stay. */
async function renderConfig({ fleetId, hosts, port }: CreateFleetOption): Promise<string> {
  const document = parseDocument(await readFile(join(packageRoot(), 'templates', coordinatorConfigName), 'utf8'));
  document.setIn(['fleetId'], fleetId);
  document.setIn(['listen', 'port'], port);
  document.add(recoverySection(document, port));
  document.setIn(['hosts'], document.createNode([...new Set(hosts)]));
  return document.toString({ lineWidth: 0 });
}

/** The agents' default is the port above that of the link. */
function recoverySection(document: Document, port: number): Pair<Scalar<string>> {
  const { host, maxExpiredDays } = defaultRecoveryConfig;
  const recoveryPort = port === 0 ? 0 : port < 65_535 ? port + 1 : port - 1;
  const key = document.createNode('recovery');
  key.spaceBefore = true;
  key.commentBefore = [
    ' Where a device whose certificate has expired gets another one, and how long after its end. Without this section',
    ' nowhere: such a device then needs `cert sign` and a person on the spot.',
  ].join('\n');
  return new Pair(key, document.createNode({ host, port: recoveryPort, maxExpiredDays }));
}

/** The socket stands below the folder, and its path has a limit: better said now than at the first start. */
function refuseLongSocketPath(directory: string): void {
  const bytes = Buffer.byteLength(join(directory, defaultCoordinatorConfig.socket));
  if (bytes <= maxSocketPathBytes) return;
  const excess = bytes - maxSocketPathBytes;
  throw new FlotillaError('usage', 'fleet-path-too-long', 'the path of the fleet is too long for its API socket', {
    seen: `${Buffer.byteLength(directory)} bytes`,
    expected: `at most ${Buffer.byteLength(directory) - excess} bytes`,
    suggestion: 'choose a folder with a shorter path',
  });
}

async function refuseExisting(directory: string, layout: FleetLayout): Promise<void> {
  const status = await stat(directory).catch(() => undefined);
  if (status && !status.isDirectory()) throw existing(directory);
  for (const target of [layout.config, layout.pki, layout.keys, layout.data, layout.run]) {
    if (existsSync(target)) throw existing(target);
  }
}

function existing(path: string, cause?: unknown): FlotillaError {
  return new FlotillaError('refused', 'fleet-target-exists', `${path} exists and is not overwritten`, {
    expected: 'a new or an empty folder',
    suggestion: 'choose another folder: flotilla init DIR',
    ...(cause === undefined ? {} : { cause }),
  });
}

function refuseUnwritable(directory: string, cause: unknown): never {
  const code = systemErrorCode(cause);
  if (code === 'ENOSPC') throw cause;
  throw new FlotillaError('usage', 'fleet-unwritable', `no folder can be made in ${directory}`, {
    ...(code === undefined ? {} : { seen: code }),
    suggestion: 'choose a folder that this user may write',
    cause,
  });
}

async function moveWhole(staging: string, directory: string): Promise<void> {
  // mkdtemp made it 0700; what is secret in it has modes of its own.
  await chmod(staging, 0o755);
  try {
    await rename(staging, directory);
  } catch (error) {
    // Somebody made it in the meantime.
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw existing(directory, error);
    throw error;
  }
}

/** Moves what is in the staging folder; coordinator.yaml last, because it is what makes the folder a fleet. */
async function moveEntries(staging: string, directory: string): Promise<void> {
  const folders = (await readdir(staging)).filter((name) => name !== coordinatorConfigName);
  const moved: string[] = [];
  try {
    for (const name of folders) {
      if (existsSync(join(directory, name))) throw existing(join(directory, name));
      await rename(join(staging, name), join(directory, name));
      moved.push(name);
    }
    // link, unlike rename, never replaces.
    await link(join(staging, coordinatorConfigName), join(directory, coordinatorConfigName));
    await unlink(join(staging, coordinatorConfigName));
  } catch (error) {
    for (const name of moved) await rename(join(directory, name), join(staging, name));
    throw error;
  }
}
