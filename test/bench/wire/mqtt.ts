import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { brokerMessages, brokerWays } from './batch-body.ts';
import { freePort, startBroker } from './broker-process.ts';
import { CountingProxy } from './counting-proxy.ts';
import type { Peer, PeerTls } from './peer.ts';

/** What mqtt.js does unless told otherwise. */
const defaultKeepaliveMs = 60_000;

/** MQTT at QoS 1 through mosquitto, the consumer subscribed at QoS 1. Version 5 with topic aliases. */
export async function createMqttPeer(tls: PeerTls, protocolVersion: 4 | 5): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const scratch = started.use(await temporaryDirectory());
  const port = await freePort();
  const configFile = join(scratch.path, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    `cafile ${tls.authorityFile}`,
    `certfile ${tls.certificateFile}`,
    `keyfile ${tls.keyFile}`,
    'tls_version tlsv1.3',
    'require_certificate true',
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'persistence false',
    'user root', // or it gives up the right to read the key
  ];
  await writeFile(configFile, lines.join('\n'));
  started.use(await startBroker('mosquitto', ['-c', configFile], port));
  const deviceLeg = started.use(await CountingProxy.listen(port));
  const consumerLeg = started.use(await CountingProxy.listen(port));

  let clients = 0;
  const dial = async (leg: CountingProxy, id: string, keepaliveMs = defaultKeepaliveMs): Promise<MqttClient> =>
    connectAsync(`mqtts://127.0.0.1:${leg.port}`, {
      ...(await tls.client(id)),
      clientId: id,
      protocolVersion,
      clean: true,
      keepalive: keepaliveMs / 1_000,
      reconnectPeriod: 0,
      autoUseTopicAlias: protocolVersion === 5,
      autoAssignTopicAlias: protocolVersion === 5,
    });

  let consumed = 0;
  const consumer = await dial(consumerLeg, 'consumer');
  started.defer(() => consumer.endAsync(true));
  consumer.on('message', () => (consumed += 1));
  await consumer.subscribeAsync('#', { qos: 1 });

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
      return {
        async send(events, firstOffset) {
          const messages = brokerMessages(way, events, firstOffset);
          const goal = consumed + messages.length;
          await Promise.all(messages.map(({ topic, body }) => client.publishAsync(topic.join('/'), body, { qos: 1 })));
          await eventually('the consumer has them', () => consumed === goal, { everyMs: 2 });
        },
        async reconnect() {
          await client.endAsync();
          client = await dial(deviceLeg, id, keepaliveMs);
        },
        close: () => client.endAsync(),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
