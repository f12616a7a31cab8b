import { access } from 'node:fs/promises';
import { execa } from 'execa';
import { FlotillaError } from '../../error.ts';
import { deviceLayout, onDisk } from '../layout.ts';
import { findAccount } from './account.ts';
import type { Step } from './step.ts';

/** A system user without a password, a home or a shell. */
export function userStep(prefix: string, name: string): Step {
  return {
    what: `user ${name}`,
    async inspect() {
      if (name === 'root' || (await findAccount(prefix, name)) !== undefined) return { change: 'unchanged' };
      const known = await access(onDisk(prefix, '/etc/passwd')).then(
        () => true,
        () => false,
      );
      return known ? { change: 'create' } : { change: 'skipped', detail: 'no /etc/passwd below the prefix' };
    },
    async apply(undo) {
      const home = deviceLayout.data;
      undo.defer(() => removeUser(prefix, name));
      const within = prefix === '/' ? [] : ['--prefix', prefix];
      const made = await attempt([
        ['useradd', ...within, '--system', '--user-group', '--no-create-home', '--home-dir', home, '--shell', '/usr/sbin/nologin', name], // prettier-ignore
        // BusyBox
        ...(prefix === '/' ? [['adduser', '-S', '-D', '-H', '-h', home, '-s', '/bin/false', name]] : []),
      ]);
      if (made === undefined) return;
      throw new FlotillaError('failed', 'install-user', `the user ${name} could not be made`, {
        seen: made,
        suggestion: 'make it yourself, or set service.user: root in agent.yaml',
      });
    },
  };
}

export async function removeUser(prefix: string, name: string): Promise<void> {
  const within = prefix === '/' ? [] : ['--prefix', prefix];
  const fault = await attempt([['userdel', ...within, name], ...(prefix === '/' ? [['deluser', name]] : [])]);
  if (fault !== undefined && (await findAccount(prefix, name)) !== undefined) throw new Error(`user ${name}: ${fault}`);
}

/** The first program that is there decides; returns its words when it failed. */
async function attempt(commands: readonly (readonly string[])[]): Promise<string | undefined> {
  let fault = 'neither useradd nor adduser';
  for (const [program = '', ...argv] of commands) {
    const { exitCode, code, stderr } = await execa(program, argv, {
      reject: false,
      stdin: 'ignore',
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    });
    if (exitCode === 0) return undefined;
    if (code !== 'ENOENT') return stderr.trim() || `${program}: exit ${exitCode}`;
    fault = `no ${program} on this system`;
  }
  return fault;
}
