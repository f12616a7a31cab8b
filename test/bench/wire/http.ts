import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CountingProxy } from './counting-proxy.ts';
import type { Peer, PeerTls } from './peer.ts';

/** Asks for a client certificate of the fleet and speaks TLS 1.3 alone. */
export async function listenHttps(tls: PeerTls): Promise<Server> {
  const server = createServer({
    key: await readFile(tls.keyFile),
    cert: await readFile(tls.certificateFile),
    ca: tls.authorityPem,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    keepAliveTimeout: 60_000,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** HTTP/1.1 with keep-alive: one POST with an event, or an array of them, as JSON. */
export async function createHttpPeer(tls: PeerTls): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const server = await listenHttps(tls);
  started.defer(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  server.on('request', (incoming, response) => {
    void buffer(incoming).then((body) => {
      if (incoming.method === 'HEAD') return response.writeHead(204).end();
      const text = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      const events: unknown = JSON.parse(text.toString());
      const reply = JSON.stringify({ stored: Array.isArray(events) ? events.length : 1 });
      const headers = { 'Content-Type': 'application/json', 'Content-Length': reply.length };
      return response.writeHead(200, headers).end(reply);
    });
  });
  const deviceLeg = started.use(await CountingProxy.listen((server.address() as AddressInfo).port));

  let clients = 0;
  const stack = started.move();
  return {
    deviceLeg,
    ways: ['json', 'jsonGzip'],
    async connect({ way }) {
      clients += 1;
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ...(await tls.client(`d${clients}`)) });
      const ask = async (method: string, headers: Record<string, string | number>, body?: Buffer): Promise<void> => {
        const outgoing = request({ agent, host: '127.0.0.1', port: deviceLeg.port, path: '/events', method, headers });
        outgoing.end(body);
        const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
        await buffer(response);
        if (response.statusCode! >= 300) throw new Error(`the server answered ${response.statusCode}`);
      };
      await ask('HEAD', {});
      return {
        async send(events, firstOffset) {
          const objects = events.map(({ json }, n) => ({ offset: firstOffset + n, ...json }));
          const text = Buffer.from(JSON.stringify(objects.length === 1 ? objects[0] : objects));
          const body = way === 'jsonGzip' ? gzipSync(text, { level: 9 }) : text;
          const coding = way === 'jsonGzip' ? { 'Content-Encoding': 'gzip' } : {};
          await ask('POST', { 'Content-Type': 'application/json', 'Content-Length': body.length, ...coding }, body);
        },
        async reconnect() {
          agent.destroy();
          await deviceLeg.settle();
          await ask('HEAD', {});
        },
        close: async () => agent.destroy(),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
