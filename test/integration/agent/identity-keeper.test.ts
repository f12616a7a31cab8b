/** What a device does with a certificate that came: it tries it, and is back on the old one when that fails. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IdentityFolder } from '../../../src/agent/identity/identity-folder.ts';
import { IdentityKeeper } from '../../../src/agent/identity/identity-keeper.ts';
import type { LinkStatus } from '../../../src/agent/link/port.ts';
import type { CertificateEvent, CertificateRequestEvent } from '../../../src/protocol/event.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import {
  createIssuingAuthority,
  createRootAuthority,
  issueDeviceCertificate,
  parseCertificate,
  parseCsr,
  type Authority,
} from '../../../src/pki/index.ts';
import { authorityDer } from '../../../src/pki/authority-bundle.ts';
import { formatPem } from '../../../src/pki/key.ts';
import { agentParts } from '../../support/agent-parts.ts';
import { createCertifiedFleet } from '../../support/link-bench.ts';
import { writeIdentity } from '../../support/short-lived.ts';

type Status = Partial<LinkStatus> & Pick<LinkStatus, 'state'>;

async function bench(option: { now?: () => number; validityDays?: number } = {}) {
  const stack = new AsyncDisposableStack();
  const fleet = stack.use(await createCertifiedFleet());
  const parts = stack.use(await agentParts());
  const dir = join(parts.dir, 'identity-files');
  await mkdir(dir);
  await writeIdentity(dir, await fleet.device('d1', option.validityDays === undefined ? {} : option));
  const configured = {
    keyFile: join(dir, 'device.key'),
    certificateFile: join(dir, 'device.crt'),
    authorityFile: join(dir, 'authority.crt'),
  };
  const listeners = new Set<(status: LinkStatus) => void>();
  let status: LinkStatus = { state: 'waiting', sinceMs: 0 };
  let redials = 0;
  const link = {
    status: () => status,
    coordinatorNowMs: () => option.now?.() ?? Date.now(),
    onChange(listener: (seen: LinkStatus) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    redial: () => void (redials += 1),
  };
  const keeper = new IdentityKeeper({
    database: parts.database,
    log: parts.log,
    clock: parts.clock,
    logger: parts.logger,
    folder: new IdentityFolder(join(parts.dir, 'identity'), configured),
    renewAtShare: 0.667,
    onReport() {},
  });
  stack.defer(() => keeper.stop());
  keeper.start(link);
  const enter = (next: Status): void => {
    status = { sinceMs: 0, ...next };
    for (const listener of listeners) listener(status);
  };
  return {
    fleet,
    keeper,
    configured,
    enter,
    redials: () => redials,
    requests: () => parts.events<CertificateRequestEvent>(Lane.control, 'flotilla.certificate-request'),
    outcomes: () => parts.events<CertificateEvent>(Lane.control, 'flotilla.certificate'),
    /** Shows what the next dial would, then fails it. */
    dial(over: Partial<LinkStatus> = {}): string {
      const identity = keeper.identity();
      enter({ state: 'connecting' });
      enter({ state: 'waiting', reason: 'closed', code: 'ECONNRESET', stage: 'hello', ...over });
      return 'keyFile' in identity && identity.keyFile === configured.keyFile ? 'configured' : 'candidate';
    },
    async install(over: { issuing?: Authority; deviceId?: string; otherKey?: boolean; authority?: string } = {}) {
      const request = parts.events<CertificateRequestEvent>(Lane.control, 'flotilla.certificate-request').at(-1)!;
      const { publicKey } = await parseCsr(formatPem('CERTIFICATE REQUEST', Buffer.from(request.csr, 'base64')));
      const other = createPublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
      const pem = await issueDeviceCertificate(over.issuing ?? fleet.issuing, {
        fleetId: fleet.fleetId,
        deviceId: over.deviceId ?? 'd1',
        publicKey: over.otherKey === true ? other : publicKey,
        nowMs: Date.now(),
      });
      const authority =
        over.authority === undefined
          ? {}
          : { authority: authorityDer(over.authority).map((der) => der.toString('base64')) };
      const certificate = parseCertificate(pem).raw.toString('base64');
      keeper.handlers['certificate.install'](
        { renewalId: request.renewalId, certificate, ...authority },
        () => undefined,
      );
    },
    folders: () => readdir(join(parts.dir, 'identity')).catch((): string[] => []),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const asked = { cause: 'operator' } as const;

describe('a device that has got a new certificate', () => {
  it('goes back when the new one does not connect and the old one does, says why, and does not begin again at once', async () => {
    await using device = await bench();
    device.keeper.identity();
    device.enter({ state: 'live' });
    expect(device.requests()).toEqual([]); // it is not due
    device.keeper.handlers['certificate.renew'](asked, () => undefined);
    await device.install();
    expect(device.redials()).toBe(1);
    expect([device.dial(), device.dial(), device.dial()]).toEqual(['candidate', 'candidate', 'candidate']);
    const identity = device.keeper.identity();
    expect(identity).toEqual(device.configured);
    device.enter({ state: 'live' });
    expect(device.keeper.record).toMatchObject({ state: 'settled', failures: 1 });
    expect(device.outcomes()).toMatchObject([
      { outcome: 'failed', via: 'link', reason: { code: 'not-connected-ECONNRESET', message: 'closed' } },
    ]);
    expect(await device.folders()).toEqual([]);
    expect(device.keeper.record.notBeforeMs! - Date.now()).toBeGreaterThan(200_000);
    expect(device.requests()).toHaveLength(1);
  });

  it('gives it up when the coordinator has refused it nine times, without a probe that lives', async () => {
    await using device = await bench();
    device.enter({ state: 'live' });
    device.keeper.handlers['certificate.renew'](asked, () => undefined);
    await device.install();
    const shown = Array.from({ length: 11 }, () => device.dial({ code: 'revoked', reason: 'revoked' }));
    expect(shown.filter((one) => one === 'candidate')).toHaveLength(9);
    expect(device.keeper.record.state).toBe('settled');
    expect(device.outcomes()).toMatchObject([{ outcome: 'failed', reason: { code: 'not-connected-revoked' } }]);
    expect(device.dial()).toBe('configured');
  });

  it('gives up nothing while there is no network, and proves it when there is', async () => {
    await using device = await bench();
    device.enter({ state: 'live' });
    device.keeper.handlers['certificate.renew'](asked, () => undefined);
    await device.install();
    const shown = Array.from({ length: 40 }, () => device.dial({ code: 'ECONNREFUSED', stage: 'dial' }));
    expect(new Set(shown)).toEqual(new Set(['candidate', 'configured']));
    expect(device.keeper.record.state).toBe('trying');
    for (;;) {
      const identity = device.keeper.identity();
      if ('keyFile' in identity && identity.keyFile !== device.configured.keyFile) break;
      device.enter({ state: 'waiting', code: 'ECONNREFUSED', stage: 'dial' });
    }
    device.enter({ state: 'live' });
    expect(device.keeper.record).toMatchObject({ state: 'settled', failures: 0 });
    expect(device.outcomes()).toMatchObject([{ outcome: 'installed' }]);
  });

  it('takes none that is for another key or device, of another authority, or that brings another root', async () => {
    const root = await createRootAuthority({ fleetId: 'bench' });
    const stranger = await createIssuingAuthority(root);
    const strangers = stranger.certificatePem + root.certificatePem;
    const cases = [
      [{ otherKey: true }, 'certificate-other-key'],
      [{ deviceId: 'd2' }, 'certificate-other-device'],
      [{ issuing: stranger }, 'certificate-other-authority'],
      [{ issuing: stranger, authority: strangers }, 'certificate-other-root'],
    ] as const;
    for (const [over, code] of cases) {
      await using device = await bench();
      const before = await readFile(device.configured.keyFile, 'utf8');
      device.enter({ state: 'live' });
      device.keeper.handlers['certificate.renew'](asked, () => undefined);
      await device.install(over);
      expect(device.outcomes()).toMatchObject([{ outcome: 'failed', reason: { code } }]);
      expect(device.keeper.record.state).toBe('settled');
      expect(await readFile(device.configured.keyFile, 'utf8')).toBe(before);
      expect(await device.folders()).toEqual([]);
    }
  });

  it('asks by itself at two thirds of the life, by the time of the coordinator, and once', async () => {
    let now = Date.now();
    await using device = await bench({ validityDays: 90, now: () => now });
    device.enter({ state: 'live' });
    expect(device.requests()).toEqual([]);
    now += 55 * 86_400_000;
    device.enter({ state: 'live' });
    expect(device.requests()).toEqual([]);
    now += 10 * 86_400_000;
    device.enter({ state: 'live' });
    expect(device.requests()).toMatchObject([{ cause: 'due' }]);
    device.enter({ state: 'live' });
    expect(device.requests()).toHaveLength(1);
    now += 3_700_000; // no answer came
    device.enter({ state: 'live' });
    expect(device.requests()).toHaveLength(2);
    expect(device.requests()[1]!.renewalId).toBe(device.requests()[0]!.renewalId);
    const { renewalId } = device.requests()[0]!;
    const refused = { code: 'too-often', message: 'too often', retryAfterMs: 7_200_000 };
    device.keeper.handlers['certificate.install']({ renewalId, refused }, () => undefined);
    device.enter({ state: 'live' });
    expect(device.requests()).toHaveLength(2);
    now += 7_300_000;
    device.enter({ state: 'live' });
    expect(device.requests()).toHaveLength(3);
  });
});
