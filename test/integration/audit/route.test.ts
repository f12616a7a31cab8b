/**
 * Made from the list of routes: each that changes something leaves a row in the audit log that names who, from where,
 * what and how it ended; and a row when it is refused. A new route without a case here fails.
 */
import { createHash, sign } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildAgentBundle } from '../../../src/cli/agent-bundle.ts';
import type { AuditEntry } from '../../../src/client/contract/index.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { defaultCoordinatorConfig, fleetLayout } from '../../../src/config/index.ts';
import { routes } from '../../../src/coordinator/api/route-list.ts';
import type { Route } from '../../../src/coordinator/api/route.ts';
import { buildBundle, writeKeyPair } from '../../../src/firmware/index.ts';
import {
  createDeviceKeyAndCsr,
  loadRootAuthority,
  parseAuthorityCsr,
  parsePrivateKey,
  signAuthorityCsr,
  signTimeReset,
} from '../../../src/pki/index.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { eventually } from '../../support/eventually.ts';
import { enrollSigner, receiptBody, receiptOf } from '../../support/sign-receipt.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { fleetId, startCore, type CoreBench } from '../coordinator/core-bench.ts';
import { enroll } from '../coordinator/enroll.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;
let bundle = '';
let firmwareKey: Awaited<ReturnType<typeof writeKeyPair>>;
const kept: Record<string, string> = {};

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
/** What only looks needs no row, also where it needs admin's right. */
const reads = [
  'GET /v1/operators',
  'GET /v1/audit',
  'GET /v1/audit/follow',
  'GET /v1/audit/head',
  'GET /v1/audit/verify',
];
/** A program's place in the log, moved thousands of times a minute: its making, reset and removal are rows. */
const places = ['POST /v1/consumers/:name/ack', 'POST /v1/consumers/:name/settle'];
const changing = routes.filter((route) => route.right !== 'read' && ![...reads, ...places].includes(nameOf(route)));

interface Case {
  action: string;
  subject?: string;
  devices?: string[];
  run(): Promise<unknown>;
}

const until = async (rows: AsyncGenerator): Promise<void> => {
  await rows.next();
  await rows.return(undefined);
};
const agentBundle = async (): Promise<string> => {
  const [agentFile, outputPath] = [join(directory.path, 'agent.js'), join(directory.path, 'agent.fw')];
  await writeFile(agentFile, '// an agent\n');
  const { privateKeyPath } = firmwareKey;
  await buildAgentBundle({ agentFile, version: '1.0.0', outputPath, privateKeyPath });
  return outputPath;
};
const rollout = async (): Promise<string> =>
  (await core.client.startRollout({ release: 'p/1.0.0', selector: 'gw-2' })).id;

/** In this order. */
const cases: Record<string, Case> = {
  'POST /v1/certificates/sign': {
    action: 'certificate.sign',
    subject: 'gw-9',
    devices: ['gw-9'],
    run: async () => core.client.sign({ csr: (await createDeviceKeyAndCsr('gw-9')).csrPem }),
  },
  'POST /v1/certificates/revoke': {
    action: 'certificate.revoke',
    subject: 'gw-8',
    devices: ['gw-8'],
    run: () => core.client.revoke({ subject: 'gw-8', reason: 'stolen' }),
  },
  'POST /v1/certificates/renew': {
    action: 'certificate.renew',
    devices: ['gw-2'],
    run: () => core.client.renewCertificates({ selector: 'gw-2' }),
  },
  'POST /v1/devices/accept': {
    action: 'device.accept',
    devices: ['gw-7'],
    run: () => core.client.acceptDevices('gw-7'),
  },
  'POST /v1/devices/reject': {
    action: 'device.reject',
    devices: ['gw-6'],
    run: () => core.client.rejectDevices('gw-6'),
  },
  'POST /v1/devices/quarantine': {
    action: 'device.quarantine',
    devices: ['gw-2'],
    run: async () => {
      await core.client.quarantineDevices({ selector: 'gw-2', reason: 'odd' });
      await core.client.acceptDevices('gw-2');
    },
  },
  'POST /v1/devices/allow-bundle': {
    action: 'bundle.allow',
    subject: '7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11',
    devices: ['gw-2'],
    run: () => core.client.allowBundle({ selector: 'gw-2', bundle: '7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11' }),
  },
  'POST /v1/devices/:id/replace': {
    action: 'device.replace',
    subject: 'gw-30',
    devices: ['gw-30', 'gw-31'],
    run: () => core.client.replaceDevice('gw-30', { by: 'gw-31' }),
  },
  'POST /v1/devices/reset-time': {
    action: 'device.reset-time',
    subject: 'gw-2',
    devices: ['gw-2'],
    run: async () => {
      const layout = fleetLayout(directory.path);
      const rootKey = parsePrivateKey(await readFile(layout.rootKey, 'utf8'), layout.rootKey);
      const timeMs = Date.now();
      const order = { fleetId, deviceId: 'gw-2', timeMs, expiresAtMs: timeMs + 60_000 };
      return core.client.resetTime({ resets: [signTimeReset(rootKey, order)] });
    },
  },
  'POST /v1/enrollment-tokens': {
    action: 'enrollment-token.add',
    run: async () => {
      const made = await core.client.addEnrollmentToken({ lifeSeconds: 60, maxUses: 1, tags: {}, grains: {} });
      kept['token'] = made.token.id;
    },
  },
  'POST /v1/enrollment-tokens/:id/revoke': {
    action: 'enrollment-token.revoke',
    run: () => core.client.revokeEnrollmentToken(kept['token']!),
  },
  'POST /v1/manifest': {
    action: 'manifest.import',
    devices: ['gw-20', 'gw-21'],
    run: () =>
      core.client.importManifest({
        devices: ['gw-20', 'gw-21'].map((deviceId) => ({ deviceId, tags: {}, grains: {} })),
      }),
  },
  'POST /v1/manifest/remove': {
    action: 'manifest.remove',
    devices: ['gw-21'],
    run: () => core.client.removeFromManifest(['gw-21']),
  },
  'POST /v1/devices/tag': {
    action: 'device.tag',
    subject: 'gw-1 or gw-2',
    devices: ['gw-1', 'gw-2'],
    run: () => core.client.tagDevices({ selector: 'gw-1 or gw-2', set: { ring: 'a' }, unset: [] }),
  },
  'POST /v1/devices/:id/requests': {
    action: 'device.send',
    subject: 'gw-1',
    devices: ['gw-1'],
    run: () => core.client.sendRequest('gw-1', { type: 'valve.Close', key: 'v', value: 1, expiresSeconds: 60 }),
  },
  'DELETE /v1/devices/:id': {
    action: 'device.remove',
    subject: 'gw-5',
    devices: ['gw-5'],
    run: () => core.client.removeDevice('gw-5'),
  },
  'POST /v1/receipts': {
    action: 'device.receipt',
    subject: 'gw-40',
    devices: ['gw-40'],
    run: async () => {
      const signer = await enrollSigner(core.client, 'gw-40');
      await core.client.takeReceipt(receiptOf(receiptBody(fleetId, 'gw-40'), signer));
    },
  },
  'POST /v1/jobs': {
    action: 'job.start',
    devices: ['gw-1', 'gw-2'],
    run: async () => {
      kept['job'] = (
        await core.client.startJob({ selector: 'gw-1 or gw-2', action: { kind: 'command', argv: ['true'] } })
      ).id;
    },
  },
  'POST /v1/jobs/:id/output': { action: 'job.follow', run: () => core.client.askOutput(kept['job']!) },
  'POST /v1/jobs/:id/cancel': { action: 'job.cancel', run: () => core.client.cancelJob(kept['job']!) },
  'PUT /v1/contents': {
    action: 'content.upload',
    run: async () => {
      const sha256 = createHash('sha256')
        .update(await readFile(bundle))
        .digest('hex');
      await core.client.uploadContent(bundle, sha256);
    },
  },
  'POST /v1/jobs/:id/retry': {
    action: 'job.retry',
    devices: ['gw-2'],
    run: () => core.client.retryJob(kept['job']!, { outcomes: ['cancelled'] }),
  },
  'POST /v1/schedules': {
    action: 'schedule.add',
    subject: 'nightly',
    run: () =>
      core.client.addSchedule({
        name: 'nightly',
        trigger: { kind: 'cron', cron: '0 3 * * *', zone: 'Europe/Berlin' },
        missed: 'skip',
        job: { selector: 'gw-1', action: { kind: 'command', argv: ['true'] } },
      }),
  },
  'POST /v1/schedules/:name/pause': {
    action: 'schedule.pause',
    subject: 'nightly',
    run: () => core.client.changeSchedule('nightly', 'pause'),
  },
  'POST /v1/schedules/:name/resume': {
    action: 'schedule.resume',
    subject: 'nightly',
    run: () => core.client.changeSchedule('nightly', 'resume'),
  },
  'DELETE /v1/schedules/:name': {
    action: 'schedule.remove',
    subject: 'nightly',
    run: () => core.client.removeSchedule('nightly'),
  },
  'PUT /v1/releases': {
    action: 'release.publish',
    subject: 'p/1.0.0/stable',
    run: () => core.client.publish(bundle, { channel: 'stable' }),
  },
  'POST /v1/devices/update-agent': {
    action: 'agent.update',
    subject: 'flotilla-agent/1.0.0/stable',
    devices: ['gw-50'],
    run: async () => {
      await core.client.publish(await agentBundle(), { channel: 'stable' });
      return core.client.updateAgents({ selector: 'gw-50', release: 'flotilla-agent/1.0.0' });
    },
  },
  'POST /v1/rollouts': {
    action: 'rollout.start',
    devices: ['gw-2'],
    run: async () => {
      kept['rollout'] = await rollout();
    },
  },
  'POST /v1/rollouts/apply': {
    action: 'rollout.start',
    devices: ['gw-1'],
    run: async () => core.client.applyRollout(await core.client.planRollout({ release: 'p/1.0.0', selector: 'gw-1' })),
  },
  'POST /v1/rollouts/:id/pause': {
    action: 'rollout.pause',
    run: () => core.client.changeRollout(kept['rollout']!, 'pause', {}),
  },
  'POST /v1/rollouts/:id/resume': {
    action: 'rollout.resume',
    run: () => core.client.changeRollout(kept['rollout']!, 'resume', {}),
  },
  'POST /v1/rollouts/:id/abort': {
    action: 'rollout.abort',
    run: () => core.client.changeRollout(kept['rollout']!, 'abort', {}),
  },
  'POST /v1/schemas': {
    action: 'schema.register',
    run: () => {
      const text = JSON.stringify({ type: 'record', name: 'meter.Reading', fields: [{ name: 'n', type: 'int' }] });
      return core.client.registerSchemas({ schemas: [{ label: 'reading.avsc', text }] });
    },
  },
  'POST /v1/configs': {
    action: 'config.set',
    subject: 'limits',
    devices: ['gw-1'],
    run: () => core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { max: 1 } }),
  },
  'POST /v1/configs/:id/:name/resolve': {
    action: 'config.resolve',
    devices: ['gw-1'],
    run: () => core.client.resolveConfig('gw-1', 'limits', { take: 'desired' }),
  },
  'POST /v1/groups': {
    action: 'group.add',
    subject: 'pair',
    run: () => core.client.addGroup({ name: 'pair', expression: 'gw-1 or gw-2' }),
  },
  'DELETE /v1/groups/:name': {
    action: 'group.remove',
    subject: 'pair',
    run: () => core.client.removeGroup('pair'),
  },
  'GET /v1/consumers/:name/stream': {
    action: 'consumer.create',
    subject: 'c-1',
    run: () => until(core.client.streamConsumer('c-1', { session: 's', from: 1 })),
  },
  'GET /v1/consumers/:name/handle': {
    action: 'consumer.create',
    subject: 'c-2',
    run: () => until(core.client.streamHandler('c-2', { session: 's', from: 1 })),
  },
  'POST /v1/consumers/:name/reset': {
    action: 'consumer.reset',
    subject: 'c-1',
    run: () => core.client.resetConsumer('c-1', 1),
  },
  'DELETE /v1/consumers/:name': {
    action: 'consumer.remove',
    subject: 'c-1',
    run: () => core.client.removeConsumer('c-1'),
  },
  'POST /v1/events/redact': {
    action: 'event.redact',
    run: () => core.client.redact({ offsets: [1], reason: 'a secret' }),
  },
  'POST /v1/deadletters/replay': {
    action: 'deadletter.replay',
    subject: '1',
    devices: ['gw-1'],
    run: () => core.client.replayDeadLetters([1]),
  },
  'POST /v1/deadletters/discard': {
    action: 'deadletter.discard',
    subject: '2',
    devices: ['gw-1'],
    run: () => core.client.discardDeadLetters({ ids: [2], note: 'known' }),
  },
  'POST /v1/operators': {
    action: 'operator.add',
    subject: 'anna',
    run: () => core.client.addOperator({ name: 'anna', role: 'viewer', token: { expiresSeconds: 60 } }),
  },
  'POST /v1/operators/:name/revoke': {
    action: 'operator.revoke',
    subject: 'anna',
    run: () => core.client.revokeOperator('anna', { reason: 'left' }),
  },
  'POST /v1/authorities/challenge': {
    action: 'authority.challenge',
    run: async () => {
      kept['nonce'] = (await core.client.createChallenge()).nonce;
    },
  },
  'POST /v1/authorities': {
    action: 'authority.register',
    subject: 'partner',
    run: async () => {
      const [key, crt] = [join(directory.path, 'partner.key'), join(directory.path, 'partner.crt')];
      const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
      await execa('openssl', ['req', '-x509', ...ec, '-subj', '/CN=Partner', '-days', '30', '-out', crt]);
      const proof = sign('sha256', Buffer.from(kept['nonce']!), await readFile(key, 'utf8')).toString('base64');
      const certificate = await readFile(crt, 'utf8');
      await core.client.registerAuthority({ id: 'partner', profile: 'acme', certificate, proof });
    },
  },
  'DELETE /v1/authorities/:id': {
    action: 'authority.remove',
    subject: 'partner',
    run: () => core.client.removeAuthority('partner'),
  },
  'POST /v1/authorities/coordinator': {
    action: 'authority.renew-coordinator',
    run: () => core.client.renewCoordinator(),
  },
  'POST /v1/authorities/rotation': {
    action: 'authority.request',
    run: async () => {
      kept['csr'] = (await core.client.beginRotation({ overlapSeconds: 3_600 })).csr;
    },
  },
  'POST /v1/authorities/rotation/certificate': {
    action: 'authority.rotate',
    run: async () => {
      const { rootCertificate: certificateFile, rootKey: keyFile } = fleetLayout(directory.path);
      const root = await loadRootAuthority({ certificateFile, keyFile });
      await core.client.completeRotation(await signAuthorityCsr(root, await parseAuthorityCsr(kept['csr']!)));
    },
  },
  'POST /v1/authorities/:id/retire': {
    action: 'authority.retire',
    subject: 'issuing-1',
    run: () => core.client.retireAuthority('issuing-1', {}),
  },
  'GET /v1/audit/export': { action: 'audit.export', run: () => until(core.client.exportAudit({})) },
  'POST /v1/shutdown': { action: 'coordinator.shutdown', run: () => core.client.shutdown() },
};

beforeAll(async () => {
  directory = await temporaryDirectory();
  const enrollment = { listen: { host: '127.0.0.1', port: 0 } };
  const profiles = join(directory.path, 'profiles.yaml');
  await writeFile(profiles, 'profiles:\n  acme:\n    kind: registered\n    deviceId: acme-{cn}\n');
  const { certificates } = defaultCoordinatorConfig;
  core = await startCore(directory.path, { enrollment, certificates: { ...certificates, profiles } });
  await mkdir(core.keyDirectory, { recursive: true });
  firmwareKey = await writeKeyPair(join(core.keyDirectory, 'firmware'));
  const { privateKeyPath } = firmwareKey;
  const configPath = join(directory.path, 'fwup.conf');
  bundle = join(directory.path, 'p.fw');
  await writeFile(configPath, 'meta-product = "p"\nmeta-version = "1.0.0"\ntask complete { on-init { info("x") } }\n');
  await buildBundle({ configPath, outputPath: bundle, privateKeyPath });
  for (const id of ['gw-2', 'gw-5', 'gw-6', 'gw-8', 'gw-30', 'gw-31']) await enroll(core.client, id);
  await enroll(core.client, 'gw-7', true);
  const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
  await device.admitted.promise;
  device.say('flotilla.boot', { running: 'nonsense' });
  device.say('flotilla.boot', { running: 'nonsense' });
  await device.heard();
  const taking = core.gateways.connect(await enroll(core.client, 'gw-50'));
  await taking.admitted.promise;
  taking.say('flotilla.boot', { running: { bootId: 'boot' }, agentVersion: '0.1.0' });
  taking.say('flotilla.accepts', { agentVersion: '0.1.0', accepts: requestVersions });
  await taking.heard();
});
afterAll(async () => {
  await core?.coordinator.stop();
  await directory?.[Symbol.asyncDispose]();
});

const newest = async (): Promise<number> => (await core.client.auditHead()).seq;
const since = (seq: number): Promise<AuditEntry[]> => core.client.audit({ from: seq + 1, limit: 100 });

describe('every route that changes something', () => {
  it('has a case here', () => {
    expect(Object.keys(cases).toSorted()).toEqual(changing.map(nameOf).toSorted());
  });

  it.each(changing.map((route) => ({ name: nameOf(route), route })))(
    '$name leaves a row when it is refused',
    async ({ name, route }) => {
      const before = await newest();
      const path = route.path.replace(/:(\w+)/g, 'no_such thing').replaceAll(' ', '%20');
      const http = new HttpConnection(core.config.socket);
      const asked = {
        GET: () => http.get(path),
        DELETE: () => http.delete(path),
        POST: () => http.post(path, { no: 'such field' }),
        PUT: () => http.upload(path, bundle, {}),
      };
      if (name === 'GET /v1/audit/export') await expect(http.get(path, { from: 0 })).rejects.toThrow();
      else await expect(asked[route.method]()).rejects.toThrow();
      const rows = await eventually('the row', async () => {
        const found = (await since(before)).filter(({ action }) => action === name);
        return found.length > 0 ? found : undefined;
      });
      expect(rows).toEqual([
        expect.objectContaining({ actor: expect.stringMatching(/^local:/), from: 'unix', result: 'refused' }),
      ]);
      expect(rows[0]!.code).not.toBe('');
    },
  );

  // One test: the later ones need what the earlier ones have made.
  it('leaves a row when it is carried out: who, from where, what, on which devices, and how it ended', async () => {
    for (const [name, { action, subject, devices, run }] of Object.entries(cases)) {
      const before = await newest();
      await run();
      const rows = (await since(before)).filter((row) => row.action === action);
      expect(rows, name).toHaveLength(1);
      const [row] = rows;
      const result = name === 'POST /v1/deadletters/replay' ? 'failed' : 'ok';
      expect(row, name).toMatchObject({ actor: expect.stringMatching(/^local:/), role: 'admin', from: 'unix', result });
      if (subject !== undefined) expect(row!.subject, name).toBe(subject);
      if (devices !== undefined) expect(row!.devices, name).toEqual({ count: devices.length, ids: devices });
    }
  }, 30_000);
});
