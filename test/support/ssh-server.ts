/** A real sshd on a free port of this machine, with keys of its own in a folder that goes away; serves the user who runs it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { eventually } from './eventually.ts';
import { temporaryDirectory } from './temporary.ts';
import { toolPath } from './system-tool.ts';

export interface SshServer extends AsyncDisposable {
  port: number;
  user: string;
  /** `SHA256:…` of its host key. */
  fingerprint: string;
  hostKeyLine: string;
  /** A private key that it lets in, PEM, and its file. */
  keyPem: string;
  keyFile: string;
  folder: string;
  /** Cuts every connection that is open, as a dead line would end. */
  cut(): Promise<void>;
}

/** Bash, started by sshd, would read the user's own .bashrc for every command; not when it takes itself for an inner shell. */
const noShellFiles = 'SetEnv SHLVL=2\n';

export async function startSshServer(): Promise<SshServer> {
  const scratch = await temporaryDirectory();
  const at = (name: string): string => join(scratch.path, name);
  const tool = (file: string, args: string[]) => execa(file, args, { env: { PATH: toolPath } });
  await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('host')]);
  await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('user')]);
  await mkdir('/run/sshd', { recursive: true }).catch(() => undefined); // wanted where sshd is root
  await writeFile(at('authorized'), await readFile(at('user.pub')), { mode: 0o600 });
  const port = await freePort();
  const config = `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${at('host')}\nAuthorizedKeysFile ${at('authorized')}\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n${noShellFiles}`;
  await writeFile(at('config'), config);
  const { stdout: sshd } = await tool('sh', ['-c', 'command -v sshd']);
  const server = execa(sshd, ['-D', '-e', '-f', at('config')], {
    reject: false,
    stderr: { file: at('log') },
    env: { PATH: toolPath },
  });
  await eventually('sshd listens', async () => (await readFile(at('log'), 'utf8')).includes('Server listening'));
  const [algorithm, base64] = (await readFile(at('host.pub'), 'utf8')).split(' ');
  return {
    port,
    user: userInfo().username,
    fingerprint: (await tool('ssh-keygen', ['-lf', at('host.pub')])).stdout.split(' ')[1]!,
    hostKeyLine: `[127.0.0.1]:${port} ${algorithm} ${base64}\n`,
    keyPem: await readFile(at('user'), 'utf8'),
    keyFile: at('user'),
    folder: scratch.path,
    async cut() {
      for (const pid of await childrenOf(server.pid!)) {
        for (const child of await childrenOf(pid)) kill(child);
        kill(pid);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const pid of await childrenOf(server.pid!)) kill(pid);
      server.kill('SIGKILL');
      await server;
      await scratch[Symbol.asyncDispose]();
    },
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
