import { readdir } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import { onDisk } from '../layout.ts';
import { detectInit } from './init-system.ts';

/** How this machine's own init restarts a service. The name has no slash: see the schema of the `restart` action. */
export async function restartCommand(service: string, prefix = '/'): Promise<string[]> {
  const { kind } = await detectInit(prefix);
  switch (kind) {
    case 'systemd':
      return ['systemctl', 'restart', '--', service];
    case 'openrc':
      return ['rc-service', service, 'restart'];
    case 'sysv':
    case 'procd':
    case 'busybox':
      return [`/etc/init.d/${await scriptName(service, prefix)}`, 'restart'];
  }
}

/** Buildroot's scripts bear their place in the order: `S40network`. */
async function scriptName(service: string, prefix: string): Promise<string> {
  const names = await readdir(onDisk(prefix, '/etc/init.d')).catch(() => []);
  const found = names.find((name) => name === service) ?? names.find((name) => name.replace(/^S\d\d/, '') === service);
  if (found !== undefined) return found;
  throw new FlotillaError('failed', 'service-unknown', `this machine has no service ${service}`, {
    expected: names.slice(0, 20).join(', '),
  });
}
