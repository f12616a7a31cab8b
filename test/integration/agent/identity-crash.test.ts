/**
 * kill -9 before every single call of the file system and every transaction of a renewal. Whatever was the last one, an
 * agent that knows nothing of renewals starts with the files at the configured paths, and the next process of ours ends
 * the renewal, with one key on the device.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { createKey, formatPrivateKey, issueDeviceCertificate, parseCertificate } from '../../../src/pki/index.ts';
import { readSecretFile } from '../../../src/pki/secret-file.ts';
import { createCertifiedFleet, type Fleet } from '../../support/link-bench.ts';
import { renewIdentity } from '../../support/renew-identity.ts';
import { writeIdentity } from '../../support/short-lived.ts';

/** Each takes a process; FLOTILLA_EVERY_CRASH=1 cuts at every call. */
const everyNth = process.env['FLOTILLA_EVERY_CRASH'] === '1' ? 1 : 11;
const script = join(import.meta.dirname, '..', '..', 'support', 'identity-process.ts');

async function makeDevice(fleet: Fleet, name: string): Promise<string> {
  const dir = join(fleet.directory, name);
  await mkdir(join(dir, 'state'), { recursive: true });
  const key = await createKey();
  const certificatePem = await issueDeviceCertificate(fleet.issuing, {
    fleetId: fleet.fleetId,
    deviceId: 'd1',
    publicKey: createPublicKey(key),
    nowMs: Date.now(),
  });
  await writeIdentity(dir, { keyPem: formatPrivateKey(key), certificatePem, authorityPem: fleet.authorityPem });
  await writeFile(join(dir, 'issuing.crt'), fleet.issuing.certificatePem);
  await writeFile(join(dir, 'issuing.key'), formatPrivateKey(fleet.issuing.privateKey), { mode: 0o600 });
  return dir;
}

/** In a process of its own, which ends at that call; true when it did. */
async function cut(dir: string, killAt: number, goal: number): Promise<boolean> {
  const argv = ['--disable-warning=ExperimentalWarning', script, dir, `${killAt}`, `${goal}`];
  const ran = await execa(process.execPath, argv, { reject: false });
  if (ran.signal === 'SIGKILL') return true;
  expect(ran.exitCode, ran.stderr).toBe(0);
  return false;
}

/** To its end, here; returns the number of calls. */
async function renew(dir: string, goal: number): Promise<number> {
  const { calls, state } = await renewIdentity(dir, { killAt: 0, goal });
  expect(state).toBe('settled');
  return calls;
}

/** What the agent of the version before does at its start: the key is closed to others, and the certificate's. */
async function configuredSerial(dir: string): Promise<string> {
  const key = (await readSecretFile(join(dir, 'device.key'))).toString('utf8');
  const certificate = parseCertificate(await readFile(join(dir, 'device.crt'), 'utf8'));
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(await readFile(join(dir, 'authority.crt'), 'utf8')).toContain('BEGIN CERTIFICATE');
  return certificate.serialNumber;
}

async function keys(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const found: string[] = [];
  for (const file of files) {
    if (file.endsWith('issuing.key') || !(await readFile(file, 'latin1')).includes('PRIVATE KEY')) continue;
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    found.push(file);
  }
  return found;
}

describe('a renewal that is cut off', () => {
  it('leaves a device that connects, before each call, in the first renewal and in the second', async () => {
    await using fleet = await createCertifiedFleet();
    const whole = await makeDevice(fleet, 'whole');
    const first = await renew(whole, 1);
    const second = await renew(whole, 2);
    expect(first).toBeGreaterThan(40);
    const points = [
      ...Array.from({ length: first }, (_, n) => ({ before: 0, killAt: n + 1 })),
      ...Array.from({ length: second }, (_, n) => ({ before: 1, killAt: n + 1 })),
    ];
    const chosen = points.filter((_, n) => n % everyNth === 0);
    let killed = 0;
    for (const { before, killAt } of chosen) {
      const dir = await makeDevice(fleet, `d-${before}-${killAt}`);
      const goal = before + 1;
      if (before === 1) await renew(dir, 1);
      const old = await configuredSerial(dir);
      if (await cut(dir, killAt, goal)) killed += 1;
      await configuredSerial(dir);
      await renew(dir, goal);
      expect(await configuredSerial(dir), `killed before call ${killAt}`).not.toBe(old);
      expect(await keys(dir), `killed before call ${killAt}`).toHaveLength(1);
    }
    expect(killed).toBeGreaterThan(chosen.length * 0.8);
  });
});
