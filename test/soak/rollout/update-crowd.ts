/**
 * `update-crowd.ts DIR…`: the devices of these folders in one process: each with its own agent, state, keys, link and
 * updater, and a disk image that a real engine writes. A restart is simulated: the agent is stopped, the boot loader's
 * decision is made on the image, and another agent starts with a new boot id. Ends by SIGKILL alone.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAgent, type Agent } from '../../../src/agent/agent.ts';
import { createLink } from '../../../src/agent/link/link.ts';
import type { Link } from '../../../src/agent/link/port.ts';
import { decideBoot } from '../../../src/board/boot-decision.ts';
import { openDoor } from '../../../src/door/index.ts';
import { systemClock } from '../../../src/clock.ts';
import { loadAgentConfig } from '../../../src/config/index.ts';
import { readPublicKey, readUbootEnvironment, writeUbootEnvironment } from '../../../src/firmware/index.ts';
import { createLog } from '../../../src/log.ts';
import { loadIdentity } from '../../../src/pki/load-identity.ts';
import { parseDeviceIdentity } from '../../../src/pki/peer-identity.ts';
import { coordinatorServerName } from '../../../src/pki/profile.ts';
import type { DeviceRole } from './device-folder.ts';
import { environmentPlace, fileName } from './device-folder.ts';

const lookEveryMs = 100;
const flapEveryMs = 1_500;
/** Longer than the rollout takes to come to it, and how long it holds the offer up. */
const deferSeconds = 600;
const holdMs = 4_000;

interface Device {
  dir: string;
  agent: Agent;
  link: Link | undefined;
  role: DeviceRole;
}

async function startDevice(dir: string): Promise<Device> {
  const config = await loadAgentConfig(join(dir, 'agent.yaml'));
  const { certificateFile, keyFile } = { certificateFile: config.identity.certificate, keyFile: config.identity.key };
  const { certificate } = await loadIdentity({ certificateFile, keyFile });
  const { fleetId, deviceId } = parseDeviceIdentity(certificate);
  let link: Link | undefined;
  const agent = createAgent({
    config,
    publicKeys: await Promise.all((config.update?.keys ?? []).map(readPublicKey)),
    agentVersion: '0.1.0',
    serverName: coordinatorServerName(fleetId),
    clock: systemClock,
    identity: { fleetId, deviceId },
    logger: createLog({ name: 'agent', level: 'info', destination: join(dir, fileName.log) }),
    createLink: (option) => (link = createLink(option)),
    onFatal(error) {
      process.stderr.write(`${deviceId}: ${String(error)}\n`);
      process.exitCode = 1;
    },
  });
  await agent.start();
  const role = (await readFile(join(dir, fileName.role), 'utf8')) as DeviceRole;
  return { dir, agent, link, role };
}

async function boot(dir: string): Promise<void> {
  const disk = join(dir, fileName.disk);
  const { slot, changes } = decideBoot(await readUbootEnvironment(disk, environmentPlace), ['a', 'b']);
  if (Object.keys(changes).length > 0) await writeUbootEnvironment(disk, environmentPlace, changes);
  await writeFile(join(dir, fileName.bootId), `${randomUUID()}\n`);
  await writeFile(join(dir, fileName.slot), `${slot}\n`);
  await rm(join(dir, fileName.reboot), { force: true });
}

const devices: Device[] = [];
for (const dir of process.argv.slice(2)) {
  await boot(dir);
  devices.push(await startDevice(dir));
}
const restarting = new Set<string>();
setInterval(() => {
  for (const [index, { dir, agent }] of devices.entries()) {
    if (restarting.has(dir) || !existsSync(join(dir, fileName.reboot))) continue;
    restarting.add(dir);
    void (async () => {
      await agent.stop();
      await boot(dir);
      devices[index] = await startDevice(dir);
      restarting.delete(dir);
    })();
  }
}, lookEveryMs);
setInterval(() => {
  for (const { role, link } of devices) if (role === 'flapping') link?.redial('the soak cuts the link');
}, flapEveryMs);
for (const { dir, role } of devices) if (role === 'deferring') void putOff(dir);
process.stdout.write('started\n');

/** The product of a device that is busy when its offer comes, and lets it go on a while later. */
async function putOff(dir: string): Promise<void> {
  await using door = await openDoor({ socket: join(dir, 'door.sock') });
  await door.deferUpdate({ forSeconds: deferSeconds, reason: 'a patient is connected' });
  for (;;) {
    const { update } = await door.updateStatus();
    if (update?.state === 'offered') break;
    await sleep(lookEveryMs);
  }
  await sleep(holdMs);
  await door.resumeUpdate();
}
