/**
 * What the coordinator has heard of a device before its power went, said to it once more for another device: the real
 * session over real TLS tells the recorded events, under their numbers and their instance, and takes the offer. The
 * crashed disk that comes after it then continues a history that the coordinator knows.
 */
import type { CrowdSetup } from '../../bench/job/setup.ts';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../../src/protocol/columns/index.ts';
import type { Lane, Row } from '../../../src/protocol/lane.ts';
import { noSchemas } from '../../../src/protocol/schema-catalogue.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';
import { allLanes } from '../../../src/session/per-lane.ts';
import type { ByteStream } from '../../../src/transport/byte-stream.ts';
import { dialTls } from '../../../src/transport/tls-dialer.ts';

export interface Understudy {
  device: CrowdSetup['devices'][number];
  port: number;
  serverName: string;
  instanceId: bigint;
  rows: ReadonlyMap<number, ReadonlyMap<number, Row>>;
  /** By lane: the last event that the coordinator is to have. */
  upToSeq: readonly number[];
  /** Does a rollout wait for it? Default true. */
  isTarget?: boolean;
}

const workspace = { encoder: new BatchWorkspace('range'), decoder: new BatchDecoderWorkspace() };
const limitMs = 30_000;

/** Resolves when the coordinator has all of it and has made its offer, and the connection is over. */
export async function rehearse(option: Understudy): Promise<void> {
  const { device, port, serverName, instanceId, rows, upToSeq } = option;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const session = new DeviceSession(
    {
      instanceId,
      knownCoordinatorInstanceId: 0n,
      nextSeq: upToSeq.map((seq) => seq + 1),
      requestCursor: [0, 0, 0, 0],
      agentVersion: '0.1.0',
      newInstance: false,
    },
    { schemas: noSchemas, untold: new Set(), workspace, keepaliveMs: 60_000, answerTimeoutMs: limitMs },
    performance.now(),
  );
  let stream: ByteStream | undefined;
  const left = new Set<Lane>(allLanes.filter((lane) => upToSeq[lane]! > 0));
  let offered = option.isTarget === false;
  const flush = (): void => {
    const bytes = session.flush(performance.now(), 65_536);
    if (bytes !== undefined) stream?.write(bytes);
  };
  const receive = (bytes: Uint8Array): void => {
    for (const effect of session.receive(bytes, performance.now())) {
      if (effect.kind === 'live') {
        for (const lane of left) session.enqueue(lane, 1, rowsOf(rows, lane, upToSeq[lane]!));
      } else if (effect.kind === 'acked') {
        if (effect.upToSeq >= upToSeq[effect.lane]!) left.delete(effect.lane);
      } else if (effect.kind === 'rows') {
        offered ||= effect.rows.some(({ type }) => type === 'update.offer');
        session.acknowledge(effect.lane, effect.firstSeq + effect.rows.length - 1);
      } else if (effect.kind === 'closed' || effect.kind === 'nacked') {
        reject(new Error(`the coordinator does not take the recording: ${JSON.stringify(effect)}`));
      }
    }
    flush();
    if (left.size === 0 && offered) resolve();
  };
  const cancel = dialTls({
    host: '127.0.0.1',
    port,
    serverName,
    ...device,
    keyExchange: 'classic',
    onStream(fresh) {
      stream = fresh;
      fresh.attach({ onBytes: receive, onDrain: flush, onClose: (reason) => reject(new Error(reason)) });
      flush();
    },
    onFailed: (reason) => reject(new Error(reason)),
    onTicket: () => undefined,
  });
  const timer = setTimeout(
    () => reject(new Error(`not rehearsed: ${left.size} lanes, offer ${String(offered)}`)),
    limitMs,
  );
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    cancel();
    stream?.destroy();
  }
}

function rowsOf(rows: Understudy['rows'], lane: Lane, upToSeq: number): Row[] {
  return Array.from({ length: upToSeq }, (_, index) => {
    const row = rows.get(lane)?.get(index + 1);
    if (row === undefined) throw new Error(`the recording has no event ${index + 1} of lane ${lane}`);
    return row;
  });
}
