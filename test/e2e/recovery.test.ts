/** A device that comes back after its certificate has ended, and those that must stay outside all the same. */
import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/pki/certificate.ts';
import { encodeCsr } from '../../src/pki/create-csr.ts';
import { createKey } from '../../src/pki/key.ts';
import { coordinatorServerName } from '../../src/pki/profile.ts';
import { dialRecovery } from '../../src/transport/recovery-dialer.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import type { DevicePems } from '../support/link-bench.ts';
import { shortLived, writeIdentity } from '../support/short-lived.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createFleet();
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function json<T = any>(args: string[]): Promise<T> {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.json<T>();
}

async function makeAgent(id: string, pems: DevicePems): Promise<string> {
  const dir = join(fleet.scratch, id);
  await json(['agent', 'init', dir, '--id', id, '--coordinator', `127.0.0.1:${fleet.port}`]);
  await writeIdentity(dir, pems);
  const config = join(dir, 'agent.yaml');
  const text = (await readFile(config, 'utf8'))
    .replace('# recoveryPort: 7444', `recoveryPort: ${fleet.recoveryPort}`)
    .replace(/backoff: .*/, 'backoff: { firstMinMs: 50, firstMaxMs: 200, factor: 2, maxMs: 1000 }');
  await writeFile(config, text);
  return dir;
}

const ended = (pems: DevicePems) => {
  const { validToDate } = parseCertificate(pems.certificatePem);
  return eventually('the certificate has ended', () => Date.now() > validToDate.getTime(), { timeoutMs: 60_000 });
};

describe('a device whose certificate has ended', () => {
  it('gets another one on the recovery port, with a new key, and is back; the others stay outside', async () => {
    const ids = ['back', 'waits', 'held', 'shut', 'stolen', 'gone'];
    const pems = Object.fromEntries(
      await Promise.all(ids.map(async (id) => [id, await shortLived(fleet, id, 45)] as const)),
    );
    const dirs = Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await makeAgent(id, pems[id]!)])));
    const agents = await Promise.all(ids.map((id) => fleet.runAgent(id, dirs[id])));
    for (const id of ids) {
      await eventually(`${id} waits`, async () => (await fleet.cli(['device', 'show', id, '--json'])).exitCode === 0);
    }
    // None is live before its end: it would renew at once.
    for (const agent of agents) await agent.kill();
    await json(['device', 'accept', 'L@back,held,shut,stolen,gone']);
    await json(['device', 'quarantine', 'held', '--reason', 'test']);
    await json(['device', 'reject', 'shut']);
    await json(['cert', 'revoke', 'stolen', '--reason', 'stolen', '--yes']);
    await json(['device', 'remove', 'gone', '--yes']);
    for (const id of ids) await ended(pems[id]!);

    const [back] = agents;
    await back!.restart();
    const device = await eventually('it is back', async () => {
      const shown = await json(['device', 'show', 'back']);
      return shown.connected && shown.certificate.provenAtMs !== undefined && shown;
    });
    const old = parseCertificate(pems['back']!.certificatePem).serialNumber.toLowerCase();
    expect(device.certificate.serial).not.toBe(old);
    const certificates = await json<any[]>(['cert', 'list', '--device', 'back']);
    expect(certificates.find(({ serial }) => serial === old)).toMatchObject({ replacedBy: device.certificate.serial });
    expect(device.certificate.notAfterMs - Date.now()).toBeGreaterThan(80_000_000);
    const key = await readFile(join(dirs['back'], 'device.key'), 'utf8');
    expect(key).not.toBe(pems['back']!.keyPem);
    const certificate = parseCertificate(await readFile(join(dirs['back'], 'device.crt')));
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    await back!.kill();

    const fleetId = (await json(['coordinator', 'status'])).fleetId;
    const csr = encodeCsr('back', await createKey());
    const refused = async (id: string, reason: string): Promise<void> => {
      const answer = await dialRecovery({
        host: '127.0.0.1',
        port: fleet.recoveryPort,
        serverName: coordinatorServerName(fleetId),
        ...pems[id]!,
        csr,
        timeoutMs: 20_000,
      });
      expect(answer).toEqual({ kind: 'refused' });
      await eventually(`${id}: ${reason}`, async () => {
        const rows = (await fleet.coordinatorLog()).split('\n').filter((line) => line.includes('"recovery refused"'));
        return rows.some((row) => row.includes(`"device":"${id}"`) && row.includes(`"reason":"${reason}"`));
      });
    };
    await refused('back', 'replaced');
    await refused('waits', 'not-on-record');
    await refused('held', 'not-accepted');
    await refused('shut', 'not-accepted');
    await refused('stolen', 'revoked');
    await refused('gone', 'unknown-device');
    expect(await fleet.coordinatorLog()).not.toContain('PRIVATE KEY');
  });
});
