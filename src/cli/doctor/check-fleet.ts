/** What lies in the fleet's folder: configuration, secrets, certificates, room on the disk. */
import { readFile, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import type { FleetLayout } from '../../config/fleet-layout.ts';
import { systemErrorCode } from '../../error.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { formatAge, formatBytes } from '../human.ts';
import { type Finding, bad, ok, thrown, warn } from './finding.ts';

const dayMs = 86_400_000;
const soonMs = 30 * dayMs;
const badFreeBytes = 64 * 1024 * 1024;
const warnFreeBytes = 1024 * 1024 * 1024;
const secretPattern = /\.(key|key\.enc|priv)$/;

/** Every key below pki/ and keys/ is for its owner alone. */
export async function checkSecrets(layout: FleetLayout): Promise<Finding[]> {
  const findings: Finding[] = [];
  let count = 0;
  for (const folder of [layout.pki, layout.keys]) {
    for (const name of await namesIn(folder)) {
      if (!secretPattern.test(name)) continue;
      count += 1;
      const path = join(folder, name);
      const { mode, uid } = await stat(path);
      if ((mode & 0o077) !== 0) {
        const seen = `${path} has mode 0${(mode & 0o777).toString(8)}: others can read it`;
        findings.push(bad('keys', seen, `chmod 600 ${path}; if others could log in here, make new keys`));
      } else if (process.getuid !== undefined && uid !== process.getuid() && process.getuid() !== 0) {
        findings.push(warn('keys', `${path} belongs to another user`, `run as the owner, or chown it`));
      }
    }
  }
  if (count === 0) return [bad('keys', `no keys in ${layout.pki}`, 'restore them from your backup')];
  return findings.length > 0 ? findings : [ok('keys', `${count} keys, all mode 0600`)];
}

/** The root key is wanted only to make a new issuing authority: better kept elsewhere. */
export async function checkRootKey(layout: FleetLayout): Promise<Finding> {
  const names = await namesIn(layout.pki);
  if (names.includes('root.key')) {
    const mend = `encrypt it: openssl pkcs8 -topk8 -scrypt -in ${layout.rootKey} -out ${layout.rootKeyEncrypted}, then remove it`;
    return warn('root key', 'is here, without a passphrase', mend);
  }
  if (names.includes('root.key.enc')) {
    return ok('root key', 'is here, encrypted; you may move it to a safe place, nothing needs it daily');
  }
  return ok('root key', 'is kept elsewhere');
}

export async function checkCertificates(layout: FleetLayout, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const names = (await namesIn(layout.pki)).filter((name) => name.endsWith('.crt'));
  for (const name of names) {
    const path = join(layout.pki, name);
    try {
      const { validToDate, validFromDate } = parseCertificate(await readFile(path), path);
      const left = validToDate.getTime() - nowMs;
      const ends = `${name} ends ${formatAge(validToDate.getTime(), nowMs)}`;
      if (left < 0) findings.push(bad('certificates', ends, `make a new ${name}`));
      else if (validFromDate.getTime() > nowMs) {
        findings.push(bad('certificates', `${name} is not valid yet`, 'look at the clock of this machine'));
      } else if (left < soonMs) findings.push(warn('certificates', ends, `make a new ${name} soon`));
    } catch (error) {
      findings.push(thrown('certificates', error, `restore ${path} from your backup`));
    }
  }
  if (names.length === 0) return [bad('certificates', `none in ${layout.pki}`, 'restore them from your backup')];
  return findings.length > 0 ? findings : [ok('certificates', `${names.length}, none ends within 30 days`)];
}

export async function checkDisk(config: CoordinatorConfig): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(config.data);
    const free = bavail * bsize;
    const detail = `${formatBytes(free)} free for ${config.data}`;
    const mend = 'free some space: events and bundles are stored there';
    if (free < badFreeBytes) return bad('disk', detail, mend);
    return free < warnFreeBytes ? warn('disk', detail, mend) : ok('disk', detail);
  } catch (error) {
    return thrown('disk', error, `make the folder ${config.data}, or mend data: in coordinator.yaml`);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
