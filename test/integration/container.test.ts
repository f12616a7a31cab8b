/** The containers that other tests stand on: they boot, keep apart, keep their disk, and leave nothing behind. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer } from '../support/container.ts';

describe.skipIf((await whyNoContainer('the containers themselves')) !== undefined)('a container', () => {
  it('boots systemd twice on one disk, has a network that can be cut, and leaves nothing behind', async () => {
    let root: string;
    {
      await using machine = await startContainer();
      await using neighbour = await startContainer();
      ({ root } = machine);
      const say = async (...argv: string[]) => (await machine.exec(argv)).stdout.trim();
      expect(await say('cat', '/proc/1/comm')).toBe('systemd');
      expect(await say('hostname')).toBe(machine.name);
      expect((await machine.exec(['sh', '-c', 'echo kept >/var/kept; exit 3'])).exitCode).toBe(3);
      expect((await neighbour.exec(['test', '-e', '/var/kept'])).exitCode).toBe(1);
      expect(existsSync('/var/kept')).toBe(false);

      await using server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(0, machine.hostAddress, resolve));
      const { port } = server.address() as AddressInfo;
      const dial = ['timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${machine.hostAddress}/${port}`];
      expect((await machine.exec(dial)).exitCode).toBe(0);
      await machine.setNetwork(false);
      expect((await machine.exec(dial)).exitCode).not.toBe(0);
      await machine.setNetwork(true);

      const first = machine.leaderPid;
      await machine.reboot();
      expect(machine.leaderPid).not.toBe(first);
      expect(await say('cat', '/var/kept')).toBe('kept');
      expect((await machine.exec(dial)).exitCode).toBe(0);

      await machine.stop();
      expect(machine.running).toBe(false);
      await machine.start();
      expect(await say('cat', '/var/kept')).toBe('kept');
    }
    expect(existsSync(root)).toBe(false);
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(root);
  });
});
