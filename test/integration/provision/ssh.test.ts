/** What provisioning is made of, against a real sshd of this machine: host keys, jump hosts, uploads, and the guard. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGuard, undoSuffix } from '../../../src/provision/host/guard.ts';
import { parseHostFacts, probeScript } from '../../../src/provision/host/host-fact.ts';
import { Parcel, uploadText } from '../../../src/provision/host/upload.ts';
import { HostKeys } from '../../../src/provision/ssh/host-key.ts';
import { readPrivateKey } from '../../../src/provision/ssh/private-key.ts';
import { SshSession } from '../../../src/provision/ssh/ssh-session.ts';
import { eventually } from '../../support/eventually.ts';
import { startSshServer, type SshServer } from '../../support/ssh-server.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

describe.skipIf(!hasTools('ssh against a real sshd', 'sshd', 'ssh-keygen'))('over ssh', () => {
  let server: SshServer;
  let other: SshServer;
  beforeAll(async () => {
    [server, other] = await Promise.all([startSshServer(), startSshServer()]);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  const target = (more = {}) => ({ host: '127.0.0.1', port: server.port, user: server.user, ...more });
  const credential = () => ({ privateKey: readPrivateKey(server.keyPem) });
  const keysOf = async (text: string, acceptNew = false) => {
    const file = join(server.folder, `known-${randomBytes(4).toString('hex')}`);
    await writeFile(file, text);
    return { file, hostKeys: await HostKeys.load({ files: [file], acceptNew }) };
  };
  const open = async (hostKeys: HostKeys, more = {}) =>
    SshSession.open(target(more), { credential: credential(), hostKeys });
  const session = async () => open((await keysOf(server.hostKeyLine)).hostKeys);

  it('believes a known key, a pinned one, and a new one only when that was asked for', async () => {
    const nobody = await keysOf('');
    await expect(open(nobody.hostKeys)).rejects.toMatchObject({ code: 'ssh-host-key-unknown' });
    await using pinned = await open(nobody.hostKeys, { hostKey: server.fingerprint });
    expect((await pinned.run('echo $((6*7))')).stdout).toBe('42\n');
    await expect(open(nobody.hostKeys, { hostKey: other.fingerprint })).rejects.toMatchObject({
      code: 'ssh-host-key-changed',
    });
    expect(await readFile(nobody.file, 'utf8')).toBe('');
    const accepting = await keysOf('', true);
    await using first = await open(accepting.hostKeys);
    expect(first).toBeDefined();
    expect(await readFile(accepting.file, 'utf8')).toBe(server.hostKeyLine.replace(/\s*$/, '\n'));
    await using again = await open(await HostKeys.load({ files: [accepting.file], acceptNew: false }));
    expect(again).toBeDefined();
  });

  it('refuses a changed key and a revoked one, also where new ones are accepted', async () => {
    const place = server.hostKeyLine.split(' ')[0]!;
    const theirs = other.hostKeyLine.split(' ').slice(1).join(' ');
    await expect(open((await keysOf(`${place} ${theirs}`, true)).hostKeys)).rejects.toMatchObject({
      code: 'ssh-host-key-changed',
      detail: { seen: server.fingerprint, expected: other.fingerprint },
    });
    await expect(open((await keysOf(`@revoked ${server.hostKeyLine}`, true)).hostKeys)).rejects.toMatchObject({
      code: 'ssh-host-key-revoked',
    });
  });

  it('says that it is not let in, and that nobody answers', async () => {
    const { hostKeys } = await keysOf(server.hostKeyLine);
    const wrong = { privateKey: readPrivateKey(other.keyPem) };
    await expect(SshSession.open(target(), { credential: wrong, hostKeys })).rejects.toMatchObject({
      code: 'ssh-auth-failed',
      detail: { seen: 'it refused a private key' },
    });
    await expect(open(hostKeys, { port: 1 })).rejects.toMatchObject({ code: 'ssh-unreachable' });
  });

  it('goes through another host, whose key counts as well', async () => {
    const jump = { host: '127.0.0.1', port: other.port, user: other.user };
    const both = await keysOf(server.hostKeyLine + other.hostKeyLine);
    const option = { credential: credential(), jumpCredential: { privateKey: readPrivateKey(other.keyPem) } };
    await using through = await SshSession.open(target({ jump }), { ...option, hostKeys: both.hostKeys });
    expect((await through.run('echo $SSH_CONNECTION')).stdout.trim().split(' ').at(-1)).toBe(String(server.port));
    const { hostKeys } = await keysOf(server.hostKeyLine);
    await expect(SshSession.open(target({ jump }), { ...option, hostKeys })).rejects.toMatchObject({
      code: 'ssh-host-key-unknown',
    });
  });

  it('tells exit codes, what was written where, and the end of a line that broke', async () => {
    await using live = await session();
    expect(await live.run('echo out; echo err >&2; exit 7')).toEqual({ exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
    expect((await live.run('cat', { input: 'x\0y' })).stdout).toBe('x\0y');
    await expect(live.run('sleep 60', { timeoutMs: 300 })).rejects.toMatchObject({ code: 'ssh-timeout' });
    const waiting = live.run('sleep 60');
    await eventually('it runs', async () => (await live.run('pgrep -f "slee[p] 60"')).exitCode === 0);
    await server.cut();
    await expect(waiting).rejects.toMatchObject({ code: 'ssh-lost' });
    await expect(live.run('true')).rejects.toMatchObject({ code: 'ssh-lost' });
  });

  it('sends a file whole, goes on where it was cut, and sends nothing twice', async () => {
    await using scratch = await temporaryDirectory();
    await using live = await session();
    const file = join(scratch.path, 'program');
    await writeFile(file, randomBytes(3_000_000));
    const parcel = await Parcel.pack(file, scratch.path);
    const there = join(scratch.path, "there it's");
    const counts: number[] = [];
    await parcel.send(live, there, { mode: '755', onBytes: (sent) => counts.push(sent) });
    expect(await readFile(there)).toEqual(await readFile(file));
    expect((await stat(there)).mode & 0o777).toBe(0o755);
    expect(counts.at(-1)).toBe(parcel.packedBytes);
    counts.length = 0;
    await parcel.send(live, there, { mode: '755', onBytes: (sent) => counts.push(sent) });
    expect(counts).toEqual([]);

    // Half of it is there from last time; then half of it is damaged.
    const resumed = join(scratch.path, 'resumed');
    const packed = await readFile((await Parcel.pack(file, scratch.path)).path);
    await writeFile(`${resumed}.gz`, packed.subarray(0, 1_000_000));
    await parcel.send(live, resumed, { mode: '644', onBytes: (sent) => counts.push(sent) });
    expect(await readFile(resumed)).toEqual(await readFile(file));
    expect(counts[0]).toBeGreaterThan(1_000_000);
    const damaged = join(scratch.path, 'damaged');
    await writeFile(`${damaged}.gz`, Buffer.alloc(1_000_000, 7));
    await expect(parcel.send(live, damaged, { mode: '644' })).rejects.toMatchObject({ code: 'upload-damaged' });
    expect([existsSync(damaged), existsSync(`${damaged}.gz`)]).toEqual([false, false]);
    await parcel.send(live, damaged, { mode: '644' });
    await truncate(damaged, 5);
    await parcel.send(live, damaged, { mode: '644' });
    expect(await readFile(damaged)).toEqual(await readFile(file));
    await uploadText(live, join(scratch.path, 'text'), "it's $HOME\n", '600');
    expect(await readFile(join(scratch.path, 'text'), 'utf8')).toBe("it's $HOME\n");
  });

  it('learns what the host is', async () => {
    await using live = await session();
    const facts = parseHostFacts((await live.run(probeScript)).stdout, Date.now());
    expect(facts).toMatchObject({ machine: expect.stringMatching(/^(x86_64|aarch64)$/), libc: expect.any(String) });
    expect(facts.free[0]).toEqual({ path: '/var/lib', bytes: expect.any(Number) });
    expect(facts.free[0]!.bytes).toBeGreaterThan(1_000_000);
    expect(Math.abs(facts.clockOffsetMs)).toBeLessThan(30_000);
    expect(() => parseHostFacts('system=FreeBSD\n', 0)).toThrow('Linux only');
    expect(() => parseHostFacts('', 0)).toThrow('Linux only');
  });

  it.skipIf(process.getuid?.() !== 0)('takes everything back by itself when nothing is heard any more', async () => {
    await using scratch = await temporaryDirectory();
    const folder = join(scratch.path, 'work');
    await mkdir(folder);
    const live = await session();
    const guard = await startGuard(live, folder, 2);
    await new Promise((resolve) => setTimeout(resolve, 4_500)); // longer than the silence: it is heard of
    expect(existsSync(folder)).toBe(true);
    // In place of the agent: says that it was asked to go.
    const undone = join(scratch.path, 'undone');
    await writeFile(join(folder, 'node'), `#!/bin/sh\nshift; echo "$@" > ${undone}\n`, { mode: 0o755 });
    await guard.markFresh();
    await server.cut();
    guard.stop();
    await live[Symbol.asyncDispose]();
    // While it is taken back it has another name.
    await eventually('it is taken back', () => !existsSync(folder) && !existsSync(`${folder}${undoSuffix}`));
    expect(await readFile(undone, 'utf8')).toBe('uninstall --purge --yes\n');
  });
});
