import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection, type TlsOptions } from '@nats-io/transport-node';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { brokerMessages, brokerWays } from './batch-body.ts';
import { freePort, startBroker } from './broker-process.ts';
import { CountingProxy } from './counting-proxy.ts';
import type { ClientTls, Peer, PeerTls } from './peer.ts';

/** The client's default; the server's own pings wait as long and are put off by the client's. */
const defaultKeepaliveMs = 120_000;

/** JetStream with a stream on disk; the device waits for PubAck, the consumer pulls and acknowledges. */
export async function createNatsPeer(tls: PeerTls): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const scratch = started.use(await temporaryDirectory());
  const port = await freePort();
  const configFile = join(scratch.path, 'nats.conf');
  const quoted = (path: string): string => JSON.stringify(path);
  await writeFile(
    configFile,
    `listen: "127.0.0.1:${port}"
tls { cert_file: ${quoted(tls.certificateFile)}, key_file: ${quoted(tls.keyFile)}, ca_file: ${quoted(tls.authorityFile)}, verify: true, timeout: 5 }
jetstream { store_dir: ${quoted(join(scratch.path, 'store'))} }
`,
  );
  started.use(await startBroker('nats-server', ['-c', configFile], port));
  const deviceLeg = started.use(await CountingProxy.listen(port));
  const consumerLeg = started.use(await CountingProxy.listen(port));

  const dial = async (leg: CountingProxy, id: string, keepaliveMs = defaultKeepaliveMs): Promise<NatsConnection> => {
    // The library hands all of these to node's TLS; its type names only some.
    const options: TlsOptions & ClientTls = await tls.client(id);
    return connect({
      servers: `127.0.0.1:${leg.port}`,
      name: id,
      tls: options,
      reconnect: false,
      pingInterval: keepaliveMs,
    });
  };

  const consumer = await dial(consumerLeg, 'consumer');
  started.defer(() => consumer.close());
  const manager = await jetstreamManager(consumer);
  await manager.streams.add({ name: 'EVENTS', subjects: ['ev.>'] });
  await manager.consumers.add('EVENTS', { durable_name: 'core', ack_policy: 'explicit' });
  let consumed = 0;
  const pull = await (
    await jetstream(consumer).consumers.get('EVENTS', 'core')
  ).consume({
    callback: (message) => {
      consumed += 1;
      message.ack();
    },
  });
  started.defer(async () => void (await pull.close()));

  let clients = 0;
  const stack = started.move();
  return {
    deviceLeg,
    consumerLeg,
    ways: brokerWays,
    defaultKeepaliveMs,
    async connect({ way, keepaliveMs }) {
      clients += 1;
      const id = `d${clients}`;
      let client = await dial(deviceLeg, id, keepaliveMs);
      let stream = jetstream(client);
      return {
        async send(events, firstOffset) {
          const messages = brokerMessages(way, events, firstOffset);
          const goal = consumed + messages.length;
          await Promise.all(messages.map(({ topic, body }) => stream.publish(['ev', ...topic].join('.'), body)));
          await eventually('the consumer has them', () => consumed === goal, { everyMs: 2 });
        },
        async reconnect() {
          await client.close();
          client = await dial(deviceLeg, id, keepaliveMs);
          stream = jetstream(client);
        },
        close: () => client.close(),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
