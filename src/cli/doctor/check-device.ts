/** What the coordinator knows of its devices, and what waits for an operator. */
import semver from 'semver';
import type { CoordinatorStatus, Device } from '../../client/contract/index.ts';
import type { CoordinatorClient } from '../../client/coordinator-client.ts';
import { formatAge, formatDuration, plural } from '../human.ts';
import { type Finding, ok, warn } from './finding.ts';

const dayMs = 86_400_000;
const soonMs = 30 * dayMs;
const maxSkewMs = 60_000;
/** Beyond it the answer is too large to be asked for just to look. */
const maxDevices = 50_000;
const maxNamed = 5;

export async function checkDevices(
  client: Pick<CoordinatorClient, 'devices'>,
  status: CoordinatorStatus,
  nowMs: number,
): Promise<Finding[]> {
  const waiting = [checkDeadLetters(status, nowMs), checkAlerts(status)];
  const { total } = status.devices;
  if (total > maxDevices) {
    const seen = `${total} devices are too many to go through here`;
    return [...waiting, ok('device-clocks', seen), ok('device-certificates', seen), ok('device-versions', seen)];
  }
  const accepted = (await client.devices({ state: 'accepted' })).filter((device) => device.replacedBy === undefined);
  return [
    ...waiting,
    checkClocks(accepted),
    checkCertificates(accepted, nowMs),
    checkVersions(accepted, status.version),
  ];
}

function checkDeadLetters({ deadLetters }: CoordinatorStatus, nowMs: number): Finding {
  const count = deadLetters.reduce((sum, one) => sum + one.count, 0);
  if (count === 0) return ok('dead-letters', 'none waits for a decision');
  const oldest = Math.min(...deadLetters.map(({ oldestAtMs }) => oldestAtMs));
  const kinds = deadLetters.map(({ layer, type, count: some }) => `${some} ${layer} ${type}`.trim());
  const seen = `${plural(count, 'dead letter')}, the oldest ${formatAge(oldest, nowMs)}: ${shorten(kinds)}`;
  return warn('dead-letters', seen, 'flotilla deadletter list --state new', 'none that nobody has decided on');
}

function checkAlerts({ alerts, alertCount }: CoordinatorStatus): Finding {
  if (alertCount === 0) return ok('alerts', 'none');
  const seen = shorten(
    alerts.map(({ deviceId, kind }) => `${deviceId} ${kind}`),
    alertCount,
  );
  return warn('alerts', seen, 'flotilla coordinator status shows them; flotilla device show ID tells why');
}

function checkClocks(devices: readonly Device[]): Finding {
  const wrong = devices.flatMap(({ id, clock }) =>
    clock === undefined || Math.abs(clock.skewMs) <= maxSkewMs ? [] : [{ id, skewMs: clock.skewMs }],
  );
  if (wrong.length === 0) return ok('device-clocks', 'none is a minute off');
  const sorted = wrong.toSorted((a, b) => Math.abs(b.skewMs) - Math.abs(a.skewMs));
  const named = sorted.map(({ id, skewMs }) => `${id} ${skewMs < 0 ? '-' : '+'}${formatDuration(Math.abs(skewMs))}`);
  return warn(
    'device-clocks',
    shorten(named),
    'set the clock of the device, or give it a battery or a time server; its agent goes by signed time meanwhile',
    'within a minute of this coordinator',
  );
}

function checkCertificates(devices: readonly Device[], nowMs: number): Finding {
  const ending = devices.flatMap(({ id, certificate }) =>
    certificate === undefined || certificate.notAfterMs - nowMs > soonMs ? [] : [{ id, ...certificate }],
  );
  if (ending.length === 0) return ok('device-certificates', 'none ends within 30 days');
  const sorted = ending.toSorted((a, b) => a.notAfterMs - b.notAfterMs);
  const named = sorted.map(({ id, notAfterMs }) => `${id} ${formatAge(notAfterMs, nowMs)}`);
  const first = sorted[0]!.id;
  const mend = `a device that connects renews by itself; one that does not: flotilla device show ${first}, flotilla cert sign`;
  return warn('device-certificates', shorten(named), mend, 'more than 30 days left');
}

function checkVersions(devices: readonly Device[], version: string): Finding {
  const older = devices.flatMap(({ id, agentVersion = '' }) =>
    semver.valid(agentVersion) !== null && semver.valid(version) !== null && semver.lt(agentVersion, version)
      ? [`${id} ${agentVersion}`]
      : [],
  );
  if (older.length === 0) return ok('device-versions', `no agent is older than ${version}`);
  const mend = 'roll out a bundle with the newer agent: flotilla rollout start RELEASE SELECTOR';
  return warn('device-versions', shorten(older), mend, `agents of ${version}`);
}

/** The first few by name. */
function shorten(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, maxNamed);
  const rest = count - shown.length;
  return `${shown.join(', ')}${rest <= 0 ? '' : ` and ${rest} more`}`;
}
