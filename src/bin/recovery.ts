/** The process that holds the recovery port. Started by the core with a socket as file descriptor 3; ends when that closes. */
import '../no-maglev.ts';
import { Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import { runRecovery } from '../coordinator/recovery/recovery-server.ts';
import { readSecretFile } from '../pki/secret-file.ts';

// The core decides when it ends; a Ctrl-C on the terminal reaches the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

runRecovery({
  core: new Socket({ fd: 3 }),
  clock: systemClock,
  readSecretFile,
  onEnd: () => process.exit(0),
});
