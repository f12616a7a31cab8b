/** A program at the door that speaks lines of its own making, right or wrong. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface DoorPeer extends Disposable {
  socket: Socket;
  send(line: object): void;
  /** The next line that comes; undefined when the agent has closed. */
  next(): Promise<any>;
  /** Sent together; the answers in the order of the requests. */
  ask(...lines: { id: number | string }[]): Promise<any[]>;
}

export async function connectDoor(path: string): Promise<DoorPeer> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  const received: any[] = [];
  const waiting: ((line: any) => void)[] = [];
  let text = '';
  let closed = false;
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const parsed = JSON.parse(line);
      const taker = waiting.shift();
      if (taker === undefined) received.push(parsed);
      else taker(parsed);
    }
  });
  const end = () => {
    closed = true;
    for (const taker of waiting.splice(0)) taker(undefined);
  };
  socket.on('end', end);
  socket.on('close', end);
  const peer: DoorPeer = {
    socket,
    send: (line) => void socket.write(`${JSON.stringify(line)}\n`),
    next: () =>
      received.length > 0 || closed
        ? Promise.resolve(received.shift())
        : new Promise((resolve) => void waiting.push(resolve)),
    async ask(...lines) {
      socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      const answers = new Map<unknown, any>();
      while (answers.size < lines.length) {
        const answer = await peer.next();
        if (answer === undefined) throw new Error('the agent has closed the connection');
        if (!('row' in answer)) answers.set(answer.id, answer);
      }
      return lines.map(({ id }) => answers.get(id));
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
  return peer;
}
