import { defaultAgentConfig } from '../../../src/config/agent-default.ts';
import type { Packing } from '../../../src/protocol/columns/index.ts';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { eventually } from '../../support/eventually.ts';
import type { Bench } from '../../support/link-bench.ts';
import { CountingProxy } from './counting-proxy.ts';
import type { MeterSchema, WireEvent } from './event-set.ts';
import type { Peer } from './peer.ts';

/** The link of this repository: the agent's end in this process, the gateway in a process of its own. */
export async function createFlotillaPeer(bench: Bench, meter: MeterSchema): Promise<Peer> {
  const proxy = await CountingProxy.listen(bench.pool.port);
  let devices = 0;
  const schemas = new Map([[meter.fingerprint, readSchema(meter.text)]]);
  return {
    deviceLeg: proxy,
    // The default first: the targets are judged by it.
    ways: ['range', 'pack'],
    // Where an agent begins; what it learns later only makes an hour cheaper.
    defaultKeepaliveMs: defaultAgentConfig.link.keepaliveSeconds * 1_000,
    async connect({ way, keepaliveMs }) {
      devices += 1;
      const id = `d${devices}`;
      const device = await bench.addDevice(id, {
        link: {
          schemas,
          packing: way as Packing,
          endpoint: { host: '127.0.0.1', port: proxy.port, serverName: bench.fleet.serverName },
          ...(keepaliveMs === undefined ? {} : { keepaliveMs }),
        },
      });
      const live = (): boolean => device.link.status().state === 'live' && bench.core.session(id) !== undefined;
      await eventually('the link is live', live, { everyMs: 2 });
      const sent: WireEvent[] = [];
      return {
        async send(events) {
          device.log.transact(() => events.forEach(({ row }) => device.log.append(3, row)));
          device.link.wake();
          sent.push(...events);
          const acked = (): boolean => device.log.ackedSeq()[3] === sent.length;
          await eventually('the events are acknowledged', acked, { everyMs: 2 });
        },
        async reconnect() {
          const { connection } = bench.core.session(id)!.connect;
          bench.pool.close(connection, 'superseded');
          const again = (): boolean => live() && bench.core.session(id)!.connect.connection !== connection;
          await eventually('the link is live again', again, { everyMs: 2 });
        },
        async close() {
          const stored = [...bench.core.stored].find(([name]) => name.startsWith(`${id}/`) && name.endsWith('/3'));
          await device[Symbol.asyncDispose]();
          compare(sent, stored?.[1].map(({ row }) => row) ?? []);
        },
      };
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What is cheap because something is missing is no measurement. */
function compare(sent: WireEvent[], stored: WireEvent['row'][]): void {
  if (stored.length !== sent.length) throw new Error(`${sent.length} events were sent, ${stored.length} stored`);
  sent.forEach(({ row }, n) => {
    const { type, key, timestampMs, schema, payload } = stored[n]!;
    const same =
      type === row.type &&
      key === row.key &&
      timestampMs === row.timestampMs &&
      schema === row.schema &&
      Buffer.from(payload).equals(row.payload);
    if (!same) throw new Error(`event ${n} was stored as another one than was sent`);
  });
}
