/**
 * Provisions one host in a process of its own, as `flotilla provision ssh` does, and is killed by itself right before the
 * step that is named, or so long after it: the technician's laptop runs out of power. One JSON argument.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { openClient } from '../../src/cli/open-client.ts';
import {
  findAgentFile,
  HostKeys,
  Parcel,
  parcelFolder,
  provisionHost,
  readPrivateKey,
  renderAgentConfig,
} from '../../src/provision/index.ts';

export interface ProvisionOrder {
  fleetDir: string;
  coordinatorPort: number;
  host: { port: number; keyFile: string; fingerprint: string };
  deviceId: string;
  /** How the step begins that is not reached. */
  killAt: string;
  killAfterMs: number;
}

const order = JSON.parse(process.argv[2]!) as ProvisionOrder;
const client = await openClient({ 'fleet-dir': order.fleetDir });
const { fleetId } = await client.status();
await using folder = await parcelFolder();
const agent = await Parcel.pack(await findAgentFile(), folder.path);
const report = await provisionHost(
  {
    client,
    hostKeys: await HostKeys.load({ files: [], acceptNew: false }),
    agent,
    runtime: (file) => Parcel.pack(file, folder.path),
    who: 'first@laptop',
    reconnectMs: 0,
    connectMs: 30_000,
    sleep: (ms) => sleep(ms),
    nowMs: () => Date.now(),
  },
  {
    target: { host: '127.0.0.1', port: order.host.port, user: 'root', hostKey: order.host.fingerprint },
    credential: { privateKey: readPrivateKey(await readFile(order.host.keyFile, 'utf8')) },
    wanted: {
      deviceId: order.deviceId,
      fleetId,
      agentSha256: agent.sha256,
      configText: await renderAgentConfig({ host: '127.0.0.1', port: order.coordinatorPort }),
      grainsText: undefined,
    },
    tags: {},
    pending: false,
  },
  (text) => {
    if (!text.startsWith(order.killAt)) return;
    if (order.killAfterMs === 0) process.kill(process.pid, 'SIGKILL');
    else setTimeout(() => process.kill(process.pid, 'SIGKILL'), order.killAfterMs);
  },
);
process.stdout.write(`${JSON.stringify(report)}\n`);
