import type { ScenarioReport } from './report.ts';

export interface TargetVerdict {
  limit: number;
  unit: 'payloadBytes' | 'ipBytes' | 'ratio';
  /** Absent when it could not be measured. */
  measured?: number;
  met: boolean;
}

interface Target {
  name: string;
  scenario: string;
  limit: number;
  unit: TargetVerdict['unit'];
  measure(report: ScenarioReport): number | undefined;
}

const flotilla = (report: ScenarioReport): number | undefined => report.flotillaBytes;

/** What the link has to reach. Singles are means, c2 and c3 are warm, other batches are a connection's first. */
const targets: readonly Target[] = [
  { name: 'a', scenario: 'a', limit: 112, unit: 'payloadBytes', measure: flotilla },
  { name: "a'", scenario: "a'", limit: 60, unit: 'payloadBytes', measure: flotilla },
  { name: 'b', scenario: 'b', limit: 6_130, unit: 'payloadBytes', measure: flotilla },
  { name: "b'", scenario: "b'", limit: 4_320, unit: 'payloadBytes', measure: flotilla },
  { name: 'c1', scenario: 'c1', limit: 750, unit: 'payloadBytes', measure: flotilla },
  {
    name: 'c1OfBestPeer',
    scenario: 'c1',
    limit: 0.3,
    unit: 'ratio',
    measure: ({ flotillaBytes, bestPeerBytes }) =>
      flotillaBytes === undefined || bestPeerBytes === undefined
        ? undefined
        : Math.round((flotillaBytes / bestPeerBytes) * 1_000) / 1_000,
  },
  { name: 'c2', scenario: 'c2', limit: 900, unit: 'payloadBytes', measure: flotilla },
  { name: 'c3', scenario: 'c3', limit: 900, unit: 'payloadBytes', measure: flotilla },
  { name: 'c1-offgrid', scenario: 'c1-offgrid', limit: 2_700, unit: 'payloadBytes', measure: flotilla },
  {
    name: 'idleHour',
    scenario: 'idleHour',
    limit: 3_200,
    unit: 'ipBytes',
    measure: (report) => report.flotillaIpBytes,
  },
  { name: 'firstConnect', scenario: 'firstConnect', limit: 3_300, unit: 'payloadBytes', measure: flotilla },
  { name: 'reconnect', scenario: 'reconnect', limit: 1_300, unit: 'payloadBytes', measure: flotilla },
];

/** Judges the targets of the scenarios that were run; without peers, none that compares with them. */
export function judge(
  scenarios: Record<string, ScenarioReport>,
  option: { withPeers: boolean },
): Record<string, TargetVerdict> {
  const verdicts: Record<string, TargetVerdict> = {};
  for (const { name, scenario, limit, unit, measure } of targets) {
    const report = scenarios[scenario];
    if (report === undefined || (unit === 'ratio' && !option.withPeers)) continue;
    const measured = measure(report);
    verdicts[name] = {
      limit,
      unit,
      ...(measured === undefined ? {} : { measured }),
      met: measured !== undefined && measured <= limit,
    };
  }
  return verdicts;
}
