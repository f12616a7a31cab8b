/**
 * The issuing authority is rotated across a fleet that lives, while some devices are away. All that are there must be
 * proven on new certificates; those that were away recover when they return, half of them after their certificates have
 * ended. Real coordinator, real gateways, real agents (many in a process), real TLS; every key on its own disk.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { openClient } from '../../../src/cli/open-client.ts';
import type { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { loadCertificate, loadKeyOf } from '../../../src/pki/load-identity.ts';
import { createDeviceKeyAndCsr, parseCertificate } from '../../../src/pki/index.ts';
import { eventually } from '../../support/eventually.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { shortLived, writeIdentity } from '../../support/short-lived.ts';

export interface RotationOption {
  agents: number;
  away: number;
  /** Of the certificates of those that return after their end. */
  shortSeconds: number;
  say(text: string): void;
}

export interface RotationReport {
  soak: 'rotation';
  agents: number;
  away: number;
  /** From the rotation to the last proof of those that are there. */
  provenMs: number;
  /** From their return to the last proof of those that were away. */
  returnedMs: number;
  expired: number;
  problems: string[];
}

const crowdSize = 50;
const waitMs = 600_000;

export async function runRotation({ agents, away, shortSeconds, say }: RotationOption): Promise<RotationReport> {
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await createFleet({ gateways: 2 }));
  const client = await openClient({ 'fleet-dir': fleet.dir });
  const crowds = new Set<Crowd>();
  stack.defer(async () => {
    for (const crowd of crowds) crowd.kill('SIGKILL');
    await Promise.all(crowds);
  });
  const name = (n: number): string => `d-${String(n).padStart(3, '0')}`;
  const there = Array.from({ length: agents - away }, (_, n) => name(n));
  const gone = Array.from({ length: away }, (_, n) => name(agents - away + n));
  const expiring = gone.slice(0, Math.ceil(away / 2));
  const dirs = new Map<string, string>();
  for (const id of [...there, ...gone])
    dirs.set(id, await makeAgent(fleet, client, id, expiring.includes(id) ? shortSeconds : 0));
  say(`${agents} devices are made`);

  // Those of the short certificates wait in pending, so that they do not renew before they go.
  const first = startCrowds(crowds, gone, dirs);
  await settled(client, gone, ({ connected, id }) => expiring.includes(id) || connected);
  for (const crowd of first) await endCrowd(crowds, crowd);
  await client.acceptDevices(`L@${expiring.join(',')}`);
  void startCrowds(crowds, there, dirs);
  await settled(client, there, ({ connected, accepts }) => connected && accepts?.['certificate.renew'] !== undefined);
  say(`${there.length} are connected, ${away} are away`);

  const before = await serials(client);
  const rotatedAt = performance.now();
  const rotated = await fleet.cli(['ca', 'rotate', '--json']);
  if (rotated.exitCode !== 0) throw new Error(rotated.stdout + rotated.stderr);
  await eventually(
    'all that are there are proven',
    async () => {
      const open = await client.renewals();
      return (
        open.every(({ deviceId }) => gone.includes(deviceId)) && (await proven(client, there, before)).length === 0
      );
    },
    { timeoutMs: waitMs, everyMs: 500 },
  );
  const provenMs = Math.round(performance.now() - rotatedAt);
  say(`proven after ${provenMs} ms`);
  const problems: string[] = [];
  const waiting = (await client.renewals()).map(({ deviceId, state }) => `${deviceId} ${state}`);
  const expected = gone.map((id) => `${id} wanted`);
  if (JSON.stringify(waiting) !== JSON.stringify(expected)) problems.push(`renewals: ${waiting.join(', ')}`);

  for (const id of expiring) {
    const { validToDate } = parseCertificate(await readFile(join(dirs.get(id)!, 'device.crt'), 'utf8'));
    await eventually(`${id} has expired`, () => Date.now() > validToDate.getTime(), { timeoutMs: waitMs });
  }
  const returnedAt = performance.now();
  void startCrowds(crowds, gone, dirs);
  await eventually(
    'those that were away are proven',
    async () => (await client.renewals()).length === 0 && (await proven(client, gone, before)).length === 0,
    { timeoutMs: waitMs, everyMs: 500 },
  );
  const returnedMs = Math.round(performance.now() - returnedAt);
  say(`back after ${returnedMs} ms`);

  for (const [id, dir] of dirs) {
    await eventually(`${id} has one key`, async () => (await keysBelow(dir)).length === 1, { timeoutMs: 60_000 });
    const { certificate } = await loadCertificate(join(dir, 'device.crt'));
    await loadKeyOf(certificate, { certificateFile: join(dir, 'device.crt'), keyFile: join(dir, 'device.key') });
    if (certificate.serialNumber.toLowerCase() === before.get(id)) problems.push(`${id} still has its old certificate`);
  }
  const recovered = (await client.events({ type: 'coordinator.recovered' })).map(({ deviceId }) => deviceId);
  if (new Set(recovered).size !== expiring.length || recovered.some((id) => !expiring.includes(id))) {
    problems.push(`recovered: ${recovered.join(', ')}, expected ${expiring.join(', ')}`);
  }
  return { soak: 'rotation', agents, away, provenMs, returnedMs, expired: expiring.length, problems };
}

async function makeAgent(
  fleet: TestFleet,
  client: CoordinatorClient,
  id: string,
  shortSeconds: number,
): Promise<string> {
  const dir = join(fleet.scratch, id);
  await mkdir(dir);
  if (shortSeconds > 0) await writeIdentity(dir, await shortLived(fleet, id, shortSeconds));
  else {
    const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(id);
    const { certificate, authority } = await client.sign({ csr: csrPem });
    await writeIdentity(dir, { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority });
  }
  const yaml = [
    `coordinator: { host: 127.0.0.1, port: ${fleet.port}, recoveryPort: ${fleet.recoveryPort} }`,
    'link: { backoff: { firstMinMs: 50, firstMaxMs: 500, factor: 2, maxMs: 5000 } }',
  ];
  await writeFile(join(dir, 'agent.yaml'), `${yaml.join('\n')}\n`);
  return dir;
}

type Crowd = ReturnType<typeof startCrowd>;

function startCrowd(dirs: readonly string[]) {
  const script = join(import.meta.dirname, 'agent-crowd.ts');
  return execa(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...dirs], {
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  });
}

/** They end with the soak, or by `endCrowd`. */
function startCrowds(crowds: Set<Crowd>, ids: readonly string[], dirs: ReadonlyMap<string, string>): Crowd[] {
  const started: Crowd[] = [];
  for (let n = 0; n < ids.length; n += crowdSize) {
    const argv = ids.slice(n, n + crowdSize).map((id) => dirs.get(id)!);
    const crowd = startCrowd(argv);
    crowds.add(crowd);
    started.push(crowd);
  }
  return started;
}

async function endCrowd(crowds: Set<Crowd>, crowd: Crowd): Promise<void> {
  crowd.kill('SIGKILL');
  await crowd;
  crowds.delete(crowd);
}

type Known = Awaited<ReturnType<CoordinatorClient['devices']>>[number];

async function settled(
  client: CoordinatorClient,
  ids: readonly string[],
  isSettled: (device: Known) => boolean,
): Promise<void> {
  await eventually(
    'all are known',
    async () => {
      const devices = new Map((await client.devices({})).map((device) => [device.id, device]));
      return ids.every((id) => devices.has(id) && isSettled(devices.get(id)!));
    },
    { timeoutMs: waitMs, everyMs: 500 },
  );
}

async function serials(client: CoordinatorClient): Promise<Map<string, string>> {
  return new Map((await client.certificates()).map(({ deviceId, serial }) => [deviceId, serial]));
}

/** Those that are not proven on a certificate of the new authority, or whose old one is not replaced. */
async function proven(
  client: CoordinatorClient,
  ids: readonly string[],
  before: ReadonlyMap<string, string>,
): Promise<string[]> {
  const certificates = await client.certificates();
  return ids.filter((id) => {
    const own = certificates.filter(({ deviceId }) => deviceId === id);
    const next = own.find(
      ({ provenAtMs, issuer, replacedBy }) =>
        provenAtMs !== undefined && issuer === 'issuing-2' && replacedBy === undefined,
    );
    const old = own.find(({ serial }) => serial === before.get(id));
    return next === undefined || old?.replacedBy === undefined;
  });
}

async function keysBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name.endsWith('.key')).map(({ name }) => name);
}
