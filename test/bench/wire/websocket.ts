import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { CountingProxy } from './counting-proxy.ts';
import { listenHttps } from './http.ts';
import type { Peer, PeerTls } from './peer.ts';

/** A usual heartbeat (Phoenix, and the time most proxies grant at least). */
const defaultKeepaliveMs = 30_000;

/** A WebSocket that carries JSON: a message with an event, or an array of them, and a message in return. */
export async function createWebSocketPeer(tls: PeerTls): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const server = await listenHttps(tls);
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
  started.defer(async () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    server.close();
    await once(server, 'close');
  });
  sockets.on('connection', (socket) => {
    socket.on('message', (data: RawData) => {
      const { ref } = JSON.parse((data as Buffer).toString()) as { ref: number };
      socket.send(JSON.stringify({ ref, status: 'ok' }));
    });
  });
  const deviceLeg = started.use(await CountingProxy.listen((server.address() as AddressInfo).port));

  let clients = 0;
  const stack = started.move();
  return {
    deviceLeg,
    ways: ['json', 'jsonDeflated'],
    defaultKeepaliveMs,
    async connect({ way, keepaliveMs = defaultKeepaliveMs }) {
      clients += 1;
      const identity = await tls.client(`d${clients}`);
      const dial = async (): Promise<WebSocket> => {
        const socket = new WebSocket(`wss://127.0.0.1:${deviceLeg.port}/link`, {
          ...identity,
          perMessageDeflate: way === 'jsonDeflated' && { threshold: 0 },
        });
        const heartbeat = setInterval(() => socket.ping(), keepaliveMs);
        socket.on('close', () => clearInterval(heartbeat));
        await once(socket, 'open');
        return socket;
      };
      const hangUp = async (): Promise<void> => {
        socket.close();
        await once(socket, 'close');
      };
      let socket = await dial();
      let ref = 0;
      return {
        async send(events, firstOffset) {
          ref += 1;
          const objects = events.map(({ json }, n) => ({ offset: firstOffset + n, ...json }));
          const answer = once(socket, 'message');
          socket.send(JSON.stringify({ ref, event: objects.length === 1 ? objects[0] : objects }));
          await answer;
        },
        async reconnect() {
          await hangUp();
          await deviceLeg.settle();
          socket = await dial();
        },
        close: hangUp,
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
