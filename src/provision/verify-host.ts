/** What is on a host against what should be. Looks only; nothing is written anywhere. */
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError, type ErrorDocument } from '../error.ts';
import { findDevice } from './host/fleet-side.ts';
import { parseHostFacts, probeScript, type HostFacts } from './host/host-fact.ts';
import { findDifferences, judgeIdentity, type Difference, type Wanted } from './host/installed-state.ts';
import type { HostKeys } from './ssh/host-key.ts';
import { SshSession, type SshCredential, type SshTarget } from './ssh/ssh-session.ts';

export interface HostCheck {
  host: string;
  deviceId: string;
  outcome: 'as-it-should-be' | 'different' | 'failed';
  differences: Difference[];
  /** What was found, whatever it should be. */
  facts?: Pick<HostFacts, 'machine' | 'libc' | 'init' | 'hostname' | 'clockOffsetMs'>;
  error?: ErrorDocument;
}

export interface VerifyTask {
  target: SshTarget;
  credential: SshCredential;
  wanted: Wanted;
  tags: Record<string, string>;
}

/** A clock that is this far off makes logs hard to read; connections bear more. */
const clockToleranceMs = 60_000;

export async function verifyHost(
  { client, hostKeys, nowMs }: { client: CoordinatorClient; hostKeys: HostKeys; nowMs(): number },
  task: VerifyTask,
): Promise<HostCheck> {
  const names = { host: task.target.host, deviceId: task.wanted.deviceId };
  try {
    await using session = await SshSession.open(task.target, { credential: task.credential, hostKeys });
    const facts = parseHostFacts((await session.runAsRoot(probeScript)).stdout, nowMs());
    const differences = findDifferences(facts, task.wanted);
    differences.push(
      ...(await installDifferences(session, facts)),
      ...identityDifferences(facts, task.wanted, nowMs()),
    );
    differences.push(...(await fleetDifferences(client, task)));
    if (Math.abs(facts.clockOffsetMs) > clockToleranceMs) {
      const seen = `${Math.round(facts.clockOffsetMs / 1000)} s off`;
      differences.push({ what: 'clock', seen, expected: `within ${clockToleranceMs / 1000} s of this machine` });
    }
    const { machine, libc, init, hostname, clockOffsetMs } = facts;
    return {
      ...names,
      outcome: differences.length === 0 ? 'as-it-should-be' : 'different',
      differences,
      facts: { machine, libc, init, hostname, clockOffsetMs },
    };
  } catch (thrown) {
    const error =
      thrown instanceof FlotillaError
        ? thrown
        : new FlotillaError('ours', 'internal', String(thrown), { cause: thrown });
    return { ...names, outcome: 'failed', differences: [], error: error.toJSON() };
  }
}

/** Units, owners, modes: what the installed agent finds different from how it would install itself. */
async function installDifferences(session: SshSession, { installed }: HostFacts): Promise<Difference[]> {
  if (Object.keys(installed.digests).length === 0) return [];
  const { exitCode, stdout, stderr } = await session.runAsRoot('flotilla-agent install --dry-run --json');
  if (exitCode !== 0) {
    return [
      { what: 'installation', seen: (stdout || stderr).trim().slice(0, 300), expected: 'an agent that can look' },
    ];
  }
  const { steps } = JSON.parse(stdout) as { steps: { what: string; change: string; detail?: string }[] };
  const quiet = ['unchanged', 'kept', 'skipped'];
  return steps
    .filter(({ change }) => !quiet.includes(change))
    .map(({ what, change, detail }) => ({ what, seen: detail ?? `to ${change}`, expected: 'as it was installed' }));
}

function identityDifferences(facts: HostFacts, wanted: Wanted, nowMs: number): Difference[] {
  const identity = judgeIdentity(facts, wanted, nowMs);
  const expected = `a certificate of ${wanted.deviceId}`;
  switch (identity.kind) {
    case 'good':
      return [];
    case 'none':
      return [{ what: 'identity', seen: 'no certificate', expected }];
    case 'ended':
      return [{ what: 'identity', seen: identity.because, expected }];
    case 'other':
      return [{ what: 'identity', seen: identity.seen, expected }];
  }
}

async function fleetDifferences(
  client: CoordinatorClient,
  { wanted, tags }: Pick<VerifyTask, 'wanted' | 'tags'>,
): Promise<Difference[]> {
  const device = await findDevice(client, wanted.deviceId);
  if (device === undefined) return [{ what: 'device', seen: 'the fleet does not know it', expected: wanted.deviceId }];
  const differences: Difference[] = [];
  if (device.state !== 'accepted') differences.push({ what: 'state', seen: device.state, expected: 'accepted' });
  if (!device.connected) differences.push({ what: 'link', seen: 'offline', expected: 'connected' });
  for (const [name, expected] of Object.entries(tags)) {
    const seen = device.tags[name];
    if (seen !== expected) differences.push({ what: `tag ${name}`, seen: seen ?? 'no such tag', expected });
  }
  return differences;
}
