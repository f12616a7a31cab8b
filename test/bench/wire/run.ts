import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../../support/link-bench.ts';
import { loadEventSet, meterSchema, type WireEvent } from './event-set.ts';
import { createFlotillaPeer } from './flotilla.ts';
import { createHttpPeer } from './http.ts';
import { createMqttPeer } from './mqtt.ts';
import { createNatsPeer } from './nats.ts';
import type { Peer, PeerTls } from './peer.ts';
import {
  reportBatches,
  reportIdle,
  reportNumbers,
  reportSingles,
  type Contender,
  type PeerName,
  type ScenarioReport,
} from './report.ts';
import { measureBatches, measureConnect, measureIdle, measureSingles, type ConnectBytes } from './scenario.ts';
import { createWebSocketPeer } from './websocket.ts';

/** Scenarios on a set of events. `randomBytes`: less than the set has, so that all metadata fits into 60 bytes. */
const singles = [
  { name: 'a', set: 'b', measures: 'one event of 60 random bytes, acknowledged: mean of 30' },
  { name: "a'", set: 'c1', measures: 'one meter reading, acknowledged: mean of 30' },
] as const;
const batches = [
  { name: 'b', set: 'b', judged: 'cold', measures: '100 events of 60 random bytes' },
  {
    name: "b'",
    set: 'b',
    randomBytes: 42,
    judged: 'cold',
    measures: '100 events of 42 random bytes and 18 of metadata',
  },
  { name: 'c1', set: 'c1', judged: 'cold', measures: '100 readings of one meter' },
  { name: 'c2', set: 'c2', judged: 'warm', measures: '100 readings of 20 meters' },
  { name: 'c3', set: 'c3', judged: 'warm', measures: '100 readings of 100 meters' },
  { name: 'c1-jitter', set: 'c1-jitter', judged: 'cold', measures: '100 readings of one meter, times with jitter' },
  { name: 'c1-offgrid', set: 'c1-offgrid', judged: 'cold', measures: '100 readings on no decimal grid' },
] as const;

export const scenarioNames: readonly string[] = [
  ...singles.map(({ name }) => name),
  ...batches.map(({ name }) => name),
  'idleHour',
  'firstConnect',
  'reconnect',
];

export interface RunOption {
  bench: Bench;
  peers: readonly PeerName[];
  scenarios: ReadonlySet<string>;
  vectorDirectory: string;
  progress(text: string): void;
}

/** Every scenario with every contender, one after the other: nothing else passes while something is counted. */
export async function runScenarios(option: RunOption): Promise<Record<string, ScenarioReport>> {
  const { bench, peers, scenarios, vectorDirectory, progress } = option;
  await using stack = new AsyncDisposableStack();
  const tls = await peerTls(bench);
  const contenders = new Map<Contender, Peer>([
    ['flotilla', stack.use(await createFlotillaPeer(bench, await meterSchema(vectorDirectory)))],
  ]);
  for (const name of peers) {
    progress(`starting ${name}`);
    contenders.set(name, stack.use(await peerMakers[name](tls)));
  }
  const reports: Record<string, ScenarioReport> = {};
  const each = async <T>(scenario: string, measure: (peer: Peer) => Promise<T>): Promise<Map<Contender, T>> => {
    const results = new Map<Contender, T>();
    for (const [name, peer] of contenders) {
      progress(`${scenario}: ${name}`);
      results.set(name, await measure(peer));
    }
    return results;
  };
  const eachWay = <T>(
    scenario: string,
    measure: (peer: Peer, way: string, events: WireEvent[]) => Promise<T>,
    events: WireEvent[],
  ): Promise<Map<Contender, Record<string, T>>> =>
    each(scenario, async (peer) => {
      const ways: Record<string, T> = {};
      for (const way of peer.ways) ways[way] = await measure(peer, way, events);
      return ways;
    });

  for (const { name, set, measures } of singles) {
    if (!scenarios.has(name)) continue;
    const events = await loadEventSet(vectorDirectory, set);
    reports[name] = reportSingles(measures, await eachWay(name, measureSingles, events));
  }
  for (const { name, set, judged, measures, ...more } of batches) {
    if (!scenarios.has(name)) continue;
    const events = await loadEventSet(vectorDirectory, set, 'randomBytes' in more ? more.randomBytes : undefined);
    const which = judged === 'cold' ? 'the first of a connection' : 'mean of the second and third of a connection';
    reports[name] = reportBatches(`${measures}: ${which}`, judged, await eachWay(name, measureBatches, events));
  }
  if (scenarios.has('idleHour')) {
    const text = 'IP bytes: three pings counted at a short keepalive, extrapolated to an hour at the default keepalive';
    reports['idleHour'] = reportIdle(text, await each('idleHour', measureIdle));
  }
  if (scenarios.has('firstConnect') || scenarios.has('reconnect')) {
    const results = await each('connect', measureConnect);
    const numbers = (key: keyof ConnectBytes): Map<Contender, number> =>
      new Map([...results].map(([name, bytes]) => [name, bytes[key]]));
    const ready = 'from dialling until the device may send';
    if (scenarios.has('firstConnect')) {
      reports['firstConnect'] = reportNumbers(`the first connection, ${ready}`, numbers('firstBytes'));
    }
    if (scenarios.has('reconnect')) {
      reports['reconnect'] = reportNumbers(`the next connection, ${ready}`, numbers('againBytes'));
    }
  }
  return reports;
}

const peerMakers: Record<PeerName, (tls: PeerTls) => Promise<Peer>> = {
  mqtt311: (tls) => createMqttPeer(tls, 4),
  mqtt5: (tls) => createMqttPeer(tls, 5),
  nats: createNatsPeer,
  http: createHttpPeer,
  websocket: createWebSocketPeer,
};

/** The same certificates and the same key exchange as the link has, the device sending its leaf alone. */
async function peerTls({ fleet }: Bench): Promise<PeerTls> {
  const directory = join(fleet.directory, 'peer');
  await mkdir(directory);
  const certificateFile = join(directory, 'server.crt');
  await writeFile(certificateFile, (await readFile(fleet.tls.certificateFile, 'utf8')) + fleet.issuing.certificatePem);
  return {
    keyFile: fleet.tls.keyFile,
    certificateFile,
    authorityFile: fleet.tls.authorityFile,
    authorityPem: fleet.authorityPem,
    async client(id) {
      const { keyPem, certificatePem, authorityPem } = await fleet.device(id);
      return {
        key: keyPem,
        cert: certificatePem,
        ca: authorityPem,
        servername: fleet.serverName,
        minVersion: 'TLSv1.3',
        ecdhCurve: 'X25519',
      };
    },
  };
}
