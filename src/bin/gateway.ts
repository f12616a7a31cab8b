/** A gateway process. Started by the core with a socket as file descriptor 3; ends when that closes. */
import '../no-maglev.ts';
import { Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import { runGateway } from '../coordinator/gateway/gateway.ts';
import { createPeerReader } from '../pki/peer-reader.ts';

// The core decides when gateways end; a Ctrl-C on the terminal reaches the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

runGateway({
  core: new Socket({ fd: 3 }),
  clock: systemClock,
  createPeerReader,
  onEnd: () => process.exit(0),
});
