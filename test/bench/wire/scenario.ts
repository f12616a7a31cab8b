import { segmentHeaderBytes } from './counting-proxy.ts';
import type { WireEvent } from './event-set.ts';
import type { Peer, PeerSession } from './peer.ts';

/** Bytes on the device's leg and, with a broker, on both legs. */
export interface LegBytes {
  deviceBytes: number;
  bothLegsBytes?: number;
}

export interface BatchBytes {
  /** The first batch of a connection. */
  cold: LegBytes;
  /** Mean of the later ones. */
  warm: LegBytes;
}

export interface IdleBytes {
  countedPings: number;
  pingIpBytes: number;
  keepaliveMs: number;
  hourIpBytes: number;
}

export interface ConnectBytes {
  firstBytes: number;
  againBytes: number;
}

const warmUpEvents = 10;
const singleEvents = 30;
const batchEvents = 100;
const countedPings = 3;
const shortKeepaliveMs = 2_000;
const pingTimeoutMs = 30_000;

/** Bytes an event, sent alone and acknowledged before the next one, on a connection that has seen others. */
export function measureSingles(peer: Peer, way: string, events: WireEvent[]): Promise<LegBytes> {
  return inSession(peer, way, async (session) => {
    const one = (n: number): Promise<void> => session.send(events.slice(n, n + 1), n + 1);
    for (let n = 0; n < warmUpEvents; n += 1) await one(n);
    const bytes = await counted(peer, async () => {
      for (let n = warmUpEvents; n < warmUpEvents + singleEvents; n += 1) await one(n);
    });
    return scaled(bytes, 1 / singleEvents);
  });
}

/** Three batches of a hundred, each sent and acknowledged at once, from the first after connecting. */
export function measureBatches(peer: Peer, way: string, events: WireEvent[]): Promise<BatchBytes> {
  return inSession(peer, way, async (session) => {
    const batches: LegBytes[] = [];
    for (let from = 0; from < events.length; from += batchEvents) {
      const batch = events.slice(from, from + batchEvents);
      batches.push(await counted(peer, () => session.send(batch, from + 1)));
    }
    const [cold, ...later] = batches;
    const deviceBytes = mean(later.map((one) => one.deviceBytes));
    const both = later.flatMap(({ bothLegsBytes }) => (bothLegsBytes === undefined ? [] : [bothLegsBytes]));
    return { cold: cold!, warm: { deviceBytes, ...(both.length === 0 ? {} : { bothLegsBytes: mean(both) }) } };
  });
}

/** Real pings at a short keepalive, in IP bytes; an hour at the default keepalive is as many of them as fit in. */
export async function measureIdle(peer: Peer): Promise<IdleBytes | undefined> {
  const { defaultKeepaliveMs, deviceLeg } = peer;
  if (defaultKeepaliveMs === undefined) return undefined;
  const session = await peer.connect({ way: peer.ways[0]!, keepaliveMs: shortKeepaliveMs });
  await deviceLeg.settle();
  await deviceLeg.exchange(pingTimeoutMs);
  const before = { segments: await deviceLeg.segments(), ...deviceLeg.passed() };
  for (let ping = 0; ping < countedPings; ping += 1) await deviceLeg.exchange(pingTimeoutMs);
  const after = { segments: await deviceLeg.segments(), ...deviceLeg.passed() };
  if (after.connections !== before.connections) throw new Error('the connection did not last');
  await session.close();
  const payloadBytes = after.payloadBytes - before.payloadBytes;
  const ipBytes = payloadBytes + segmentHeaderBytes * (after.segments - before.segments);
  const pingIpBytes = ipBytes / countedPings;
  const hourIpBytes = Math.round(pingIpBytes * (3_600_000 / defaultKeepaliveMs));
  return { countedPings, pingIpBytes: tenth(pingIpBytes), keepaliveMs: defaultKeepaliveMs, hourIpBytes };
}

/** TCP payload on the device's leg from dialling until it is ready to send, the first time and the next. */
export async function measureConnect(peer: Peer): Promise<ConnectBytes> {
  const { deviceLeg } = peer;
  const session = await peer.connect({ way: peer.ways[0]! });
  await deviceLeg.settle();
  const first = deviceLeg.passed();
  await session.reconnect();
  await deviceLeg.settle();
  const again = deviceLeg.passed();
  if (again.connections !== first.connections + 1) throw new Error('not one connection more');
  await session.close();
  return { firstBytes: first.newestConnectionBytes, againBytes: again.newestConnectionBytes };
}

async function inSession<T>(peer: Peer, way: string, work: (session: PeerSession) => Promise<T>): Promise<T> {
  const session = await peer.connect({ way });
  await settle(peer);
  const result = await work(session);
  await session.close();
  return result;
}

/** What passes while `work` runs and until both legs are quiet. */
async function counted(peer: Peer, work: () => Promise<void>): Promise<LegBytes> {
  const sum = (): LegBytes => {
    const deviceBytes = peer.deviceLeg.passed().payloadBytes;
    const consumerBytes = peer.consumerLeg?.passed().payloadBytes;
    return { deviceBytes, ...(consumerBytes === undefined ? {} : { bothLegsBytes: deviceBytes + consumerBytes }) };
  };
  const before = sum();
  await work();
  await settle(peer);
  const after = sum();
  const both = after.bothLegsBytes === undefined ? {} : { bothLegsBytes: after.bothLegsBytes - before.bothLegsBytes! };
  return { deviceBytes: after.deviceBytes - before.deviceBytes, ...both };
}

async function settle({ deviceLeg, consumerLeg }: Peer): Promise<void> {
  await deviceLeg.settle();
  await consumerLeg?.settle();
  await deviceLeg.settle();
}

function scaled({ deviceBytes, bothLegsBytes }: LegBytes, factor: number): LegBytes {
  const both = bothLegsBytes === undefined ? {} : { bothLegsBytes: tenth(bothLegsBytes * factor) };
  return { deviceBytes: tenth(deviceBytes * factor), ...both };
}

const tenth = (value: number): number => Math.round(value * 10) / 10;
const mean = (values: number[]): number => tenth(values.reduce((sum, value) => sum + value, 0) / values.length);
