/**
 * kill -9 before every single call of the file system and every transaction of a renewal. Whatever was the last one, an
 * agent that knows nothing of renewals starts with the files at the configured paths, and the next process of ours ends
 * the renewal, with one key on the device.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { createKey, formatPrivateKey, issueDeviceCertificate, parseCertificate } from '../../../src/pki/index.ts';
import { readSecretFile } from '../../../src/pki/secret-file.ts';
import { createCertifiedFleet, type Fleet } from '../../support/link-bench.ts';
import { writeIdentity } from '../../support/short-lived.ts';

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

async function run(dir: string, killAt: number, goal = 1): Promise<{ calls: number; killed: boolean }> {
  const ran = await execa(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, dir, `${killAt}`, `${goal}`],
    {
      reject: false,
    },
  );
  if (ran.signal === 'SIGKILL') return { calls: killAt, killed: true };
  expect(ran.exitCode, ran.stderr).toBe(0);
  const { calls, state } = JSON.parse(ran.stdout) as { calls: number; state: string };
  expect(state).toBe('settled');
  return { calls, killed: false };
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
    const first = await run(whole, 0);
    const second = await run(whole, 0, 2);
    expect(first.calls).toBeGreaterThan(40);
    const points = [
      ...Array.from({ length: first.calls }, (_, n) => ({ before: 0, killAt: n + 1 })),
      ...Array.from({ length: second.calls }, (_, n) => ({ before: 1, killAt: n + 1 })),
    ];
    // Every one in the soak; here every third, from a place that moves with the day.
    const chosen = process.env['FLOTILLA_EVERY_CRASH'] === '1' ? points : points.filter((_, n) => n % 4 === 0);
    let killed = 0;
    const work = async (queue: typeof chosen): Promise<void> => {
      for (const { before, killAt } of queue) {
        const dir = await makeDevice(fleet, `d-${before}-${killAt}`);
        const goal = before + 1;
        if (before === 1) await run(dir, 0, 1);
        const old = await configuredSerial(dir);
        const cut = await run(dir, killAt, goal);
        if (cut.killed) killed += 1;
        await configuredSerial(dir);
        await run(dir, 0, goal);
        expect(await configuredSerial(dir), `killed before call ${killAt}`).not.toBe(old);
        expect(await keys(dir), `killed before call ${killAt}`).toHaveLength(1);
      }
    };
    await Promise.all([work(chosen.filter((_, n) => n % 2 === 0)), work(chosen.filter((_, n) => n % 2 === 1))]);
    expect(killed).toBeGreaterThan(chosen.length * 0.8);
  }, 300_000);
});
