/**
 * `agent-crowd.ts DIR…`: the agents of these folders in one process, each with its own state, keys and link, as they
 * would be in processes of their own. Ends by SIGKILL alone.
 */
import { join } from 'node:path';
import { createAgent } from '../../../src/agent/agent.ts';
import { createLink } from '../../../src/agent/link/link.ts';
import { systemClock } from '../../../src/clock.ts';
import { loadAgentConfig } from '../../../src/config/index.ts';
import { createLog } from '../../../src/log.ts';
import { loadIdentity } from '../../../src/pki/load-identity.ts';
import { parseDeviceIdentity } from '../../../src/pki/peer-identity.ts';
import { coordinatorServerName } from '../../../src/pki/profile.ts';

for (const dir of process.argv.slice(2)) {
  const config = await loadAgentConfig(join(dir, 'agent.yaml'));
  const { certificate } = await loadIdentity({
    certificateFile: config.identity.certificate,
    keyFile: config.identity.key,
  });
  const { fleetId, deviceId } = parseDeviceIdentity(certificate);
  const agent = createAgent({
    config,
    publicKeys: [],
    agentVersion: '0.1.0',
    serverName: coordinatorServerName(fleetId),
    clock: systemClock,
    identity: { fleetId, deviceId },
    logger: createLog({ name: 'agent', level: 'info', destination: join(dir, 'agent.log') }),
    createLink,
    onFatal(error) {
      process.stderr.write(`${deviceId}: ${String(error)}\n`);
      process.exitCode = 1;
    },
  });
  await agent.start();
}
process.stdout.write('started\n');
