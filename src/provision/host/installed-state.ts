/** What is on a host against what should be: the one comparison that provisioning, its repetition and its check share. */
import { createHash, X509Certificate } from 'node:crypto';
import { stringify } from 'yaml';
import { placeConfig } from '../../device/install/place-config.ts';
import { deviceLayout } from '../../device/layout.ts';
import { readDeviceIdentity } from '../../pki/peer-identity.ts';
import { grainsPath, type HostFacts } from './host-fact.ts';
import { fitNode } from './fit-node.ts';

/** What a host is to have. */
export interface Wanted {
  deviceId: string;
  fleetId: string;
  agentSha256: string;
  /** agent.yaml as it is uploaded. */
  configText: string;
  /** grains.yaml; undefined leaves one that is there alone. */
  grainsText: string | undefined;
}

export interface Difference {
  what: string;
  seen: string;
  expected: string;
}

export type IdentityState =
  | { kind: 'none' }
  | { kind: 'good'; serialHex: string; notAfterMs: number }
  /** It is this device's and of no use any more. */
  | { kind: 'ended'; because: string }
  | { kind: 'other'; seen: string };

export function formatGrains(grains: Record<string, string>): string | undefined {
  const names = Object.keys(grains).toSorted();
  return names.length === 0 ? undefined : stringify(Object.fromEntries(names.map((name) => [name, grains[name]])));
}

/** Dates are judged by the clock of this machine: the host's may be wrong. */
export function judgeIdentity(facts: HostFacts, wanted: Wanted, nowMs: number): IdentityState {
  const { certificatePem } = facts.installed;
  if (certificatePem === undefined) return { kind: 'none' };
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch {
    return { kind: 'ended', because: 'its certificate can not be read' };
  }
  const identity = readDeviceIdentity(certificate);
  if (typeof identity === 'string') return { kind: 'other', seen: identity };
  const { deviceId, fleetId, serialHex, notAfterMs } = identity;
  if (deviceId !== wanted.deviceId || fleetId !== wanted.fleetId) {
    return { kind: 'other', seen: `${deviceId} of ${fleetId}` };
  }
  if (notAfterMs <= nowMs)
    return { kind: 'ended', because: `its certificate ended ${certificate.validToDate.toISOString()}` };
  return { kind: 'good', serialHex, notAfterMs };
}

/** Files, service and runtime. What is not listed here the agent's own `install --dry-run` compares. */
export function findDifferences(facts: HostFacts, wanted: Wanted): Difference[] {
  const { digests, serviceActive } = facts.installed;
  const placed = placeConfig(wanted.configText, '/agent.yaml').text;
  const files: [string, string][] = [
    [deviceLayout.agentFile, wanted.agentSha256],
    [deviceLayout.config, sha256(placed)],
    ...(wanted.grainsText === undefined ? [] : [[grainsPath, sha256(wanted.grainsText)] as [string, string]]),
  ];
  const differences = files.flatMap(([path, expected]) => {
    const seen = digests[path];
    return seen === expected ? [] : [{ what: path, seen: seen ?? 'no file', expected }];
  });
  if (fitNode(facts) === undefined) {
    const seen = facts.nodes.map(({ path, version }) => `${path} ${version}`).join(', ') || 'no Node';
    differences.push({ what: 'runtime', seen, expected: 'Node 24 or newer' });
  }
  if (facts.init === 'systemd' && !serviceActive) {
    differences.push({ what: 'service flotilla-agent', seen: 'not active', expected: 'active' });
  }
  return differences;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
