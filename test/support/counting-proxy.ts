import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** TCP payload of one connection, as it passed between two sockets that are none of ours. */
export interface Counted {
  upBytes: number;
  downBytes: number;
  /** Each piece as it passed, for a look into a handshake. */
  pieces: { up: boolean; bytes: Buffer }[];
}

export interface CountingProxy extends AsyncDisposable {
  port: number;
  connections: Counted[];
  /** From now on nothing passes, and no socket closes: a dead link. */
  freeze(): void;
  /** Cuts both sides of all connections. */
  cut(): void;
  /** Cuts the near side of all connections and leaves the far side open and mute: ghosts. */
  strand(): void;
}

/** Carries connections to `port` of this machine and counts them from outside of both programs. */
export async function createCountingProxy(port: number): Promise<CountingProxy> {
  const connections: Counted[] = [];
  const sockets = new Set<Socket>();
  const nears = new Set<Socket>();
  let frozen = false;
  const server = createServer({ noDelay: true }, (near) => {
    const counted: Counted = { upBytes: 0, downBytes: 0, pieces: [] };
    connections.push(counted);
    nears.add(near);
    near.on('close', () => nears.delete(near));
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const [from, to, up] of [
      [near, far, true],
      [far, near, false],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes: Buffer) => {
        if (up) counted.upBytes += bytes.length;
        else counted.downBytes += bytes.length;
        counted.pieces.push({ up, bytes });
        if (!frozen) to.write(bytes);
      });
      from.on('end', () => to.end());
      from.on('error', () => undefined);
      from.on('close', () => sockets.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    freeze() {
      frozen = true;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    strand() {
      for (const near of nears) near.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
