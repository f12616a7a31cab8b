import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { eventually } from '../../support/eventually.ts';

/** Ends with the block that made it. */
export interface BrokerProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

/** Starts a broker that listens on `port` of 127.0.0.1 when it is ready. */
export async function startBroker(command: string, args: string[], port: number): Promise<BrokerProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-4_000)));
  const ended = once(child, 'exit');
  let over = false;
  void ended.then(() => (over = true)).catch(() => (over = true));
  try {
    await eventually(`${command} listens`, () => over || accepts(port), { timeoutMs: 10_000 });
    if (over) throw new Error(`${command} ended at once: ${said}`);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    port,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A port that nobody listens on now, for programs that can't be asked which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
