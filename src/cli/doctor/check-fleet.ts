/** What lies in the fleet's folder: configuration, secrets, certificates, room on the disk. */
import { readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import type { FleetLayout } from '../../config/fleet-layout.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { formatAge, formatBytes } from '../human.ts';
import { namesIn } from './check-file.ts';
import { type Finding, fail, ok, thrown, warn } from './finding.ts';

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
        findings.push(fail('keys', seen, `chmod 600 ${path}; if others could log in here, make new keys`));
      } else if (process.getuid !== undefined && uid !== process.getuid() && process.getuid() !== 0) {
        findings.push(warn('keys', `${path} belongs to another user`, `run as the owner, or chown it`));
      }
    }
  }
  if (count === 0) return [fail('keys', `no keys in ${layout.pki}`, 'restore them from your backup')];
  return findings.length > 0 ? findings : [ok('keys', `${count} keys, all mode 0600`)];
}

/** The root key is wanted only to make a new issuing authority: better kept elsewhere. */
export async function checkRootKey(layout: FleetLayout): Promise<Finding> {
  const names = await namesIn(layout.pki);
  if (names.includes('root.key')) {
    const mend = `encrypt it: openssl pkcs8 -topk8 -scrypt -in ${layout.rootKey} -out ${layout.rootKeyEncrypted}, then remove it`;
    return warn('root-key', 'is here, without a passphrase', mend);
  }
  if (names.includes('root.key.enc')) {
    return ok('root-key', 'is here, encrypted; you may move it to a safe place, nothing needs it daily');
  }
  return ok('root-key', 'is kept elsewhere');
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
      if (left < 0) findings.push(fail('certificates', ends, mendOf(name)));
      else if (validFromDate.getTime() > nowMs) {
        findings.push(fail('certificates', `${name} is not valid yet`, 'look at the clock of this machine'));
      } else if (left < soonMs) findings.push(warn('certificates', ends, mendOf(name)));
    } catch (error) {
      findings.push(thrown('certificates', error, `restore ${path} from your backup`));
    }
  }
  if (names.length === 0) return [fail('certificates', `none in ${layout.pki}`, 'restore them from your backup')];
  return findings.length > 0 ? findings : [ok('certificates', `${names.length}, none ends within 30 days`)];
}

/** Authorities and the coordinator are valid until 9999 unless somebody has made them otherwise. */
function mendOf(name: string): string {
  if (name.startsWith('operator-'))
    return `flotilla operator add ${name.slice('operator-'.length, -'.crt'.length)} --role ROLE`;
  if (name === 'root.crt') return 'a root can not be renewed: make a new fleet and enroll its devices again';
  return 'flotilla ca rotate: new authority and coordinator certificates, with overlap';
}

const minFreeInodes = 1_000;

export async function checkDisk(config: CoordinatorConfig): Promise<Finding> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(config.data);
    const free = bavail * bsize;
    const detail = `${formatBytes(free)} free for ${config.data}`;
    const mend = 'free some space: events and bundles are stored there';
    // Some file systems count no inodes.
    if (files > 0 && ffree < minFreeInodes) {
      return fail('disk', `${ffree} inodes free for ${config.data}`, 'remove small files', `at least ${minFreeInodes}`);
    }
    if (free < badFreeBytes) return fail('disk', detail, mend);
    return free < warnFreeBytes ? warn('disk', detail, mend) : ok('disk', detail);
  } catch (error) {
    return thrown('disk', error, `make the folder ${config.data}, or mend data: in coordinator.yaml`);
  }
}
