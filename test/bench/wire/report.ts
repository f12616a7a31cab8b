import type { BatchBytes, IdleBytes, LegBytes } from './scenario.ts';

/** The programs that are compared, by the prefix of their keys. */
export const peerNames = ['mqtt311', 'mqtt5', 'nats', 'http', 'websocket'] as const;
export type PeerName = (typeof peerNames)[number];
export type Contender = PeerName | 'flotilla';

/**
 * Units in the keys. Flotilla's figure is that of its default way, a peer's that of its cheapest, on the device's leg;
 * `ways` holds them all.
 */
export interface ScenarioReport {
  measures: string;
  flotillaBytes?: number;
  flotillaIpBytes?: number;
  bestPeer?: PeerName;
  bestPeerBytes?: number;
  [figure: string]: unknown;
}

/** Results of one contender: by way of writing. */
export type WayBytes<T> = Record<string, T>;

export function reportSingles(measures: string, results: Map<Contender, WayBytes<LegBytes>>): ScenarioReport {
  const figures: Record<string, unknown> = {};
  for (const [name, ways] of results) Object.assign(figures, legFigures(name, chosen(name, Object.values(ways))));
  return { measures, ...figures, ...bestOf(results, (way: LegBytes) => way), ways: wayFigures(results) };
}

export function reportBatches(
  measures: string,
  judged: 'cold' | 'warm',
  results: Map<Contender, WayBytes<BatchBytes>>,
): ScenarioReport {
  const figures: Record<string, unknown> = {};
  for (const [name, ways] of results) {
    const all = Object.values(ways);
    Object.assign(
      figures,
      legFigures(
        name,
        chosen(
          name,
          all.map((way) => way[judged]),
        ),
      ),
    );
    if (name !== 'flotilla') continue;
    figures['flotillaColdBytes'] = all[0]!.cold.deviceBytes;
    figures['flotillaWarmBytes'] = all[0]!.warm.deviceBytes;
  }
  return { measures, ...figures, ...bestOf(results, (way: BatchBytes) => way[judged]), ways: wayFigures(results) };
}

const withoutPing =
  'its protocol has no message that keeps a quiet connection: either side closes it after a while, and the next request pays for a reconnect';

/** A figure is null for a contender without pings; `notMeasured` says so. */
export function reportIdle(measures: string, results: Map<Contender, IdleBytes | undefined>): ScenarioReport {
  const figures: Record<string, unknown> = {};
  const pings: Record<string, unknown> = {};
  const notMeasured: Record<string, string> = {};
  for (const [name, idle] of results) {
    figures[`${name}IpBytes`] = idle?.hourIpBytes ?? null;
    if (idle === undefined) notMeasured[name] = withoutPing;
    else pings[name] = idle;
  }
  return { measures, extrapolated: true, ...figures, pings, notMeasured };
}

export function reportNumbers(measures: string, results: Map<Contender, number>): ScenarioReport {
  return { measures, ...Object.fromEntries([...results].map(([name, bytes]) => [`${name}Bytes`, bytes])) };
}

function legFigures(name: Contender, { deviceBytes, bothLegsBytes }: LegBytes): Record<string, number> {
  return {
    [`${name}Bytes`]: deviceBytes,
    ...(bothLegsBytes === undefined ? {} : { [`${name}BothLegsBytes`]: bothLegsBytes }),
  };
}

/** The default of ours stands first. */
function chosen(name: Contender, legs: LegBytes[]): LegBytes {
  return name === 'flotilla' ? legs[0]! : cheapest(legs);
}

function cheapest(legs: LegBytes[]): LegBytes {
  return legs.reduce((best, one) => (one.deviceBytes < best.deviceBytes ? one : best));
}

function bestOf<T>(
  results: Map<Contender, WayBytes<T>>,
  legOf: (way: T) => LegBytes,
): { bestPeer?: PeerName; bestPeerBytes?: number } {
  let best: { bestPeer: PeerName; bestPeerBytes: number } | undefined;
  for (const [name, ways] of results) {
    if (name === 'flotilla') continue;
    const { deviceBytes } = cheapest(Object.values(ways).map(legOf));
    if (best === undefined || deviceBytes < best.bestPeerBytes) best = { bestPeer: name, bestPeerBytes: deviceBytes };
  }
  return best ?? {};
}

function wayFigures<T>(results: Map<Contender, WayBytes<T>>): Record<string, WayBytes<T>> {
  return Object.fromEntries(results);
}
