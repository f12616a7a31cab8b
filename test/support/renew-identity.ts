/**
 * A renewal as the device's identity keeper carries it out, with real files and a real database, and a coordinator
 * played beside it.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IdentityFolder, type IdentityFileSystem } from '../../src/agent/identity/identity-folder.ts';
import { IdentityKeeper } from '../../src/agent/identity/identity-keeper.ts';
import type { LinkStatus } from '../../src/agent/link/port.ts';
import { ensureAgentSchema } from '../../src/agent/state/agent-schema.ts';
import { systemClock } from '../../src/clock.ts';
import { createDeviceLog, openDeviceDatabase, parseJsonRow } from '../../src/eventlog/index.ts';
import { createLog } from '../../src/log.ts';
import { issueDeviceCertificate, loadIssuingAuthority, parseCertificate, parseCsr } from '../../src/pki/index.ts';
import { formatPem } from '../../src/pki/key.ts';
import type { CertificateRequestEvent } from '../../src/protocol/event.ts';

/**
 * Until the log holds `goal` outcomes. The process ends itself by SIGKILL before its `killAt`-th call of the file
 * system or transaction; 0: never.
 */
export async function renewIdentity(
  dir: string,
  { killAt, goal }: { killAt: number; goal: number },
): Promise<{ calls: number; state: string }> {
  let calls = 0;
  const count = (): void => {
    calls += 1;
    if (calls === killAt) process.kill(process.pid, 'SIGKILL');
  };

  const counted = Object.fromEntries(
    Object.entries(fs)
      .filter(([name]) => name.endsWith('Sync'))
      .map(([name, call]) => [
        name,
        (...args: unknown[]) => {
          count();
          return (call as (...all: unknown[]) => unknown)(...args);
        },
      ]),
  ) as unknown as IdentityFileSystem;

  const database = openDeviceDatabase(join(dir, 'state', 'agent.db'));
  const log = createDeviceLog(database);
  ensureAgentSchema(database);
  const listeners = new Set<(status: LinkStatus) => void>();
  let status: LinkStatus = { state: 'waiting', sinceMs: 0 };
  let redialled = false;
  const enter = (state: LinkStatus['state']): void => {
    status = { state, sinceMs: 0 };
    for (const listener of listeners) listener(status);
  };
  const link = {
    status: () => status,
    coordinatorNowMs: () => Date.now(),
    onChange(listener: (seen: LinkStatus) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    redial() {
      redialled = true;
    },
  };
  const keeper = new IdentityKeeper({
    database,
    log: {
      append: (lane, row) => log.append(lane, row),
      transact(work) {
        count();
        const value = log.transact(work);
        count();
        return value;
      },
    },
    clock: systemClock,
    logger: createLog({ name: 'agent', level: 'silent' }),
    folder: new IdentityFolder(
      join(dir, 'state', 'identity'),
      {
        keyFile: join(dir, 'device.key'),
        certificateFile: join(dir, 'device.crt'),
        authorityFile: join(dir, 'authority.crt'),
      },
      counted,
    ),
    renewAtShare: 0.9,
    onReport() {},
  });
  const done = (): number =>
    log.read(0, 0, 1_000, 1 << 24).rows.filter(({ type }) => type === 'flotilla.certificate').length;
  const issuing = await loadIssuingAuthority({
    certificateFile: join(dir, 'issuing.crt'),
    keyFile: join(dir, 'issuing.key'),
  });
  /** Signs the last request in the log, as the coordinator would. */
  const install = async (): Promise<void> => {
    const rows = log.read(0, 0, 1_000, 1 << 24).rows.filter(({ type }) => type === 'flotilla.certificate-request');
    const request = parseJsonRow(rows.at(-1)!) as CertificateRequestEvent;
    const { publicKey } = await parseCsr(formatPem('CERTIFICATE REQUEST', Buffer.from(request.csr, 'base64')));
    const pem = await issueDeviceCertificate(issuing, {
      fleetId: issuing.fleetId,
      deviceId: 'd1',
      publicKey,
      nowMs: Date.now(),
    });
    const { renewalId } = request;
    const certificate = parseCertificate(pem).raw.toString('base64');
    keeper.handlers['certificate.install']({ renewalId, certificate }, () => undefined);
  };
  keeper.start(link);
  for (let round = 0; round < 20 && done() < goal; round += 1) {
    keeper.identity();
    redialled = false;
    enter('live');
    if (done() >= goal) break;
    if (keeper.record.state === 'settled') keeper.handlers['certificate.renew']({ cause: 'operator' }, () => undefined);
    if (keeper.record.state === 'requested') await install();
    if (redialled) enter('connecting');
  }
  await keeper.stop();
  database.close();
  return { calls, state: keeper.record.state };
}
