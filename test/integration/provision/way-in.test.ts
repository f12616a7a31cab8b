/** How a host lets a technician in: passwords, keys, an agent, another host before it; and how the user becomes root. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostKeys } from '../../../src/provision/ssh/host-key.ts';
import { isEncryptedKey, readPrivateKey } from '../../../src/provision/ssh/private-key.ts';
import { SshSession, type SshCredential } from '../../../src/provision/ssh/ssh-session.ts';
import { startBareHost, whyNoBareHost, type BareHost } from '../../support/bare-host.ts';
import { hasTools, toolPath } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const purpose = 'users, passwords and agents against a real sshd';
const skip = (await whyNoBareHost(purpose)) !== undefined || !hasTools(purpose, 'sudo', 'ssh-agent', 'ssh-add');
const users = {
  asked: { password: 'asked horse', sudo: 'ALL' },
  unasked: { password: 'unasked horse', sudo: 'NOPASSWD: ALL' },
  plain: { password: 'plain horse' },
};

describe.skipIf(skip)('a way in', () => {
  let host: BareHost;
  let hostKeys: HostKeys;
  beforeAll(async () => {
    host = await startBareHost({ users, sshd: 'MaxAuthTries 3' });
    hostKeys = await HostKeys.load({ files: [join(host.folder, 'known_hosts')], acceptNew: false });
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  const open = (user: string, credential: SshCredential) =>
    SshSession.open({ host: '127.0.0.1', port: host.port, user }, { credential, hostKeys });
  const key = async (file = host.keyFile) => readPrivateKey(await readFile(file, 'utf8'));
  /** What a root line prints that reads all of its input. */
  const asRoot = async (user: string, credential: SshCredential): Promise<string> => {
    await using session = await open(user, credential);
    // Twice: the second time sudo may ask for nothing.
    await session.runAsRoot('cat');
    return (await session.runAsRoot('id -un; cat')).stdout;
  };

  it("to root by sudo: with a password, without, and the password is nobody else's input", async () => {
    const { asked, unasked, plain } = users;
    expect(await asRoot('asked', { password: asked.password, sudoPassword: asked.password })).toBe('root\n');
    expect(await asRoot('asked', { privateKey: await key(), sudoPassword: asked.password })).toBe('root\n');
    expect(await asRoot('unasked', { privateKey: await key() })).toBe('root\n');
    expect(await asRoot('unasked', { password: unasked.password, sudoPassword: unasked.password })).toBe('root\n');
    expect(await asRoot('root', { privateKey: await key(), sudoPassword: 'of no use' })).toBe('root\n');
    const refused = async (user: string, credential: SshCredential) =>
      expect(asRoot(user, credential)).rejects.toMatchObject({
        code: 'ssh-not-root',
        detail: { seen: expect.any(String) },
      });
    await refused('asked', { privateKey: await key() });
    await refused('asked', { privateKey: await key(), sudoPassword: 'wrong' });
    await refused('plain', { privateKey: await key(), sudoPassword: plain.password });
  });

  it('by an agent that holds many keys, by the key that is named before them, and past an agent that is gone', async () => {
    await using scratch = await temporaryDirectory();
    const socket = join(scratch.path, 'agent');
    const tool = (file: string, args: string[]) =>
      execa(file, args, { env: { PATH: toolPath, SSH_AUTH_SOCK: socket } });
    const agent = execa('ssh-agent', ['-D', '-a', socket], { reject: false, env: { PATH: toolPath } });
    try {
      const others = ['a', 'b', 'c', 'd'].map((name) => join(scratch.path, name));
      for (const file of others) await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
      await tool('ssh-add', ['-q', host.keyFile]);
      await using byAgent = await open('root', { agentSocket: socket });
      expect((await byAgent.run('id -un')).stdout).toBe('root\n');
      await tool('ssh-add', ['-q', '-D']);
      await tool('ssh-add', ['-q', ...others]);
      // More keys than the host lets anybody try.
      await expect(open('root', { agentSocket: socket })).rejects.toMatchObject({ code: 'ssh-auth-failed' });
      await using byKey = await open('root', { agentSocket: socket, privateKey: await key() });
      expect((await byKey.run('id -un')).stdout).toBe('root\n');
    } finally {
      agent.kill('SIGTERM');
      await agent;
    }
    const password = users.plain.password;
    await using past = await open('plain', { agentSocket: socket, password });
    expect((await past.run('id -un')).stdout).toBe('plain\n');
    await expect(open('plain', { agentSocket: socket })).rejects.toMatchObject({ code: 'ssh-auth-failed' });
  });

  it('by a key under a passphrase, which is told from one that lies open', async () => {
    const pem = await readFile(host.encryptedKeyFile, 'utf8');
    await using session = await open('root', { privateKey: readPrivateKey(pem, host.passphrase) });
    expect((await session.run('id -un')).stdout).toBe('root\n');
    const thrown = (use: () => unknown) => {
      try {
        return use();
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(thrown(() => readPrivateKey(pem, 'wrong horse'))).toBe('ssh-key-passphrase');
    expect(thrown(() => readPrivateKey(pem))).toBe('ssh-key-passphrase');
    expect(thrown(() => readPrivateKey('no key'))).toBe('ssh-key-unreadable');
    expect(isEncryptedKey(await readFile(host.keyFile, 'utf8'))).toBe(false);
    await using scratch = await temporaryDirectory();
    const file = join(scratch.path, 'rsa');
    await execa('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'pem horse', '-f', file]);
    const rsa = await readFile(file, 'utf8');
    expect([isEncryptedKey(rsa), readPrivateKey(rsa, 'pem horse').type]).toEqual([true, 'ssh-rsa']);
  });

  it('says who was not let in, and by what', async () => {
    const credential = { privateKey: await key(join(host.folder, 'host')), password: 'wrong' };
    await expect(open('asked', credential)).rejects.toMatchObject({
      code: 'ssh-auth-failed',
      message: '127.0.0.1 does not let asked in',
      detail: { seen: expect.stringMatching(/^it refused a private key, a password/) },
    });
  });
});
