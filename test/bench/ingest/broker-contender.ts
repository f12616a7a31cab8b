import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats, type TlsOptions } from '@nats-io/transport-node';
import { createCertifiedFleet, type Fleet } from '../../support/link-bench.ts';
import { freePort, startBroker } from '../wire/broker-process.ts';
import type { Contender } from './contender.ts';
import { connectPacket, subscribePacket } from './mqtt-speaker.ts';
import { cpuSecondsOf } from './process-cpu.ts';
import { connectTls } from './tls-socket.ts';

/** mosquitto keeps what it confirmed for a subscriber that is away, in memory and now and then in its file. */
export async function startMosquitto(): Promise<Contender> {
  await using started = new AsyncDisposableStack();
  const fleet = started.use(await createCertifiedFleet());
  const port = await freePort();
  const configFile = join(fleet.directory, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    `cafile ${fleet.tls.authorityFile}`,
    `certfile ${await serverCertificate(fleet)}`,
    `keyfile ${fleet.tls.keyFile}`,
    'tls_version tlsv1.3',
    'require_certificate true',
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'persistence true',
    `persistence_location ${fleet.directory}/`,
    'autosave_interval 1',
    'max_queued_messages 0',
    'max_inflight_messages 0',
    'user root', // or it gives up the right to read the key
  ];
  await writeFile(configFile, lines.join('\n'));
  const broker = started.use(await startBroker('mosquitto', ['-c', configFile], port));
  await subscribeAndLeave(fleet, port);
  const stack = started.move();
  return {
    dialect: 'mosquitto',
    port,
    serverName: fleet.serverName,
    confirmedMeans: 'queued in memory for a persistent session, written to the file every second, never synced',
    stored: async () => undefined,
    cpuSeconds: () => cpuSecondsOf([broker.pid]),
    device: (id) => fleet.device(id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Without somebody to keep them for, a broker drops what it confirms. */
async function subscribeAndLeave(fleet: Fleet, port: number): Promise<void> {
  const subscribed = Promise.withResolvers<void>();
  let bytes = 0;
  const socket = connectTls(
    port,
    fleet.serverName,
    await fleet.device('consumer'),
    (chunk) => {
      bytes += chunk.length;
      if (bytes >= 4 + 5) subscribed.resolve(); // CONNACK and SUBACK
    },
    (reason) => subscribed.reject(new Error(reason)),
  );
  socket.once('secureConnect', () => {
    socket.write(connectPacket('consumer', false));
    socket.write(subscribePacket('#'));
  });
  await subscribed.promise;
  const closed = once(socket, 'close');
  socket.end(Buffer.from([0xe0, 0]));
  await closed;
}

/** JetStream with a stream on disk, as Debian ships it: written when confirmed, synced every two minutes. */
export async function startNats(): Promise<Contender> {
  await using started = new AsyncDisposableStack();
  const fleet = started.use(await createCertifiedFleet());
  const port = await freePort();
  const configFile = join(fleet.directory, 'nats.conf');
  const quoted = (path: string): string => JSON.stringify(path);
  const { keyFile, authorityFile } = fleet.tls;
  await writeFile(
    configFile,
    `listen: "127.0.0.1:${port}"
tls { cert_file: ${quoted(await serverCertificate(fleet))}, key_file: ${quoted(keyFile)}, ca_file: ${quoted(authorityFile)}, verify: true, timeout: 30 }
jetstream { store_dir: ${quoted(join(fleet.directory, 'store'))} }
`,
  );
  const broker = started.use(await startBroker('nats-server', ['-c', configFile], port));
  const { keyPem, certificatePem, authorityPem } = await fleet.device('manager');
  // The library hands all of these to node's TLS; its type names only some.
  const tls: TlsOptions & { servername: string } = {
    key: keyPem,
    cert: certificatePem,
    ca: authorityPem,
    servername: fleet.serverName,
  };
  const connection = await connectNats({ servers: `127.0.0.1:${port}`, tls });
  started.defer(() => connection.close());
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'EVENTS', subjects: ['ev.>'] });
  const stack = started.move();
  return {
    dialect: 'nats',
    port,
    serverName: fleet.serverName,
    confirmedMeans: 'written to the stream file, synced every two minutes',
    async stored() {
      return (await manager.streams.info('EVENTS')).state.messages;
    },
    cpuSeconds: () => cpuSecondsOf([broker.pid]),
    device: (id) => fleet.device(id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The leaf and its issuer: brokers' clients trust the root. */
async function serverCertificate(fleet: Fleet): Promise<string> {
  const path = join(fleet.directory, 'server.crt');
  await writeFile(path, (await readFile(fleet.tls.certificateFile, 'utf8')) + fleet.issuing.certificatePem);
  return path;
}
