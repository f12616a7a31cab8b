/** A device leaves the fleet: its certificate first, then what is on the host, then its record. */
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError, type ErrorDocument } from '../error.ts';
import { findDevice } from './host/fleet-side.ts';
import { parseHostFacts, probeScript } from './host/host-fact.ts';
import type { HostKeys } from './ssh/host-key.ts';
import { SshSession, type SshCredential, type SshTarget } from './ssh/ssh-session.ts';

export interface RemovedHost {
  host: string;
  deviceId: string;
  outcome: 'removed' | 'not-there' | 'failed';
  /** Things that were taken away on the host. */
  changes: number;
  error?: ErrorDocument;
}

export async function removeHost(
  { client, hostKeys, nowMs }: { client: CoordinatorClient; hostKeys: HostKeys; nowMs(): number },
  { target, credential, deviceId }: { target: SshTarget; credential: SshCredential; deviceId: string },
  say: (text: string) => void,
): Promise<RemovedHost> {
  const names = { host: target.host, deviceId };
  try {
    // A host that can't be reached keeps its place in the fleet: the next run must find both.
    await using session = await SshSession.open(target, { credential, hostKeys });
    say('looking');
    const { installed } = parseHostFacts((await session.runAsRoot(probeScript)).stdout, nowMs());
    const isInstalled = Object.keys(installed.digests).length > 0 || installed.certificatePem !== undefined;
    const device = await findDevice(client, deviceId);
    if (!isInstalled && device === undefined) return { ...names, outcome: 'not-there', changes: 0 };
    if (device !== undefined && device.state !== 'revoked') {
      say('revoking its certificates');
      await client.revoke({ subject: deviceId, reason: 'removed by flotilla provision remove' });
    }
    say('taking the agent away');
    const changes = isInstalled ? await uninstall(session) : 0;
    if (device !== undefined) await client.removeDevice(deviceId);
    return { ...names, outcome: 'removed', changes };
  } catch (thrown) {
    const error =
      thrown instanceof FlotillaError
        ? thrown
        : new FlotillaError('ours', 'internal', String(thrown), { cause: thrown });
    return { ...names, outcome: 'failed', changes: 0, error: error.toJSON() };
  }
}

async function uninstall(session: SshSession): Promise<number> {
  const ran = await session.runAsRoot('flotilla-agent uninstall --purge --yes --json');
  try {
    return (JSON.parse(ran.stdout) as { changes: number }).changes;
  } catch (cause) {
    throw new FlotillaError('failed', 'host-command-failed', 'the agent could not be taken away', {
      seen: (ran.stderr.trim() || ran.stdout.trim()).slice(-400) || `exit ${ran.exitCode}`,
      suggestion: 'log in and look: flotilla-agent uninstall --purge --dry-run',
      cause,
    });
  }
}
