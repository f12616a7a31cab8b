/** A real fleet in a temporary folder: `flotilla init`, a running coordinator, agents as processes; all ended at the end. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../src/client/http-connection.ts';
import { createDeviceKeyAndCsr } from '../../src/pki/index.ts';
import { createFleet as createFleetFiles } from '../../src/provision/create-fleet.ts';
import { createFleetId } from '../../src/provision/fleet-id.ts';
import { renderAgentConfig } from '../../src/provision/render-agent-config.ts';
import { eventually } from './eventually.ts';
import { flotilla, launcher, type Ran, type RunOption } from './cli.ts';
import { writeIdentity } from './short-lived.ts';
import { temporaryDirectory } from './temporary.ts';

export interface TestFleet extends AsyncDisposable {
  /** The fleet directory. */
  dir: string;
  /** A scratch folder beside it. */
  scratch: string;
  /** Where devices dial in. */
  port: number;
  /** Where those come whose certificate has expired. */
  recoveryPort: number;
  cli(args: string[], option?: RunOption): Promise<Ran>;
  startCoordinator(env?: Record<string, string>): Promise<void>;
  stopCoordinator(): Promise<void>;
  /** SIGKILL to the core process. */
  killCoordinator(): Promise<void>;
  coordinatorLog(): Promise<string>;
  addAgent(id: string, option?: AgentOption): Promise<TestAgent>;
  /** An agent on a folder that is ready (enrolled, provisioned). */
  runAgent(id: string, agentDir: string, env?: Record<string, string>): Promise<TestAgent>;
  connected(id: string): Promise<void>;
}

export interface AgentOption {
  grains?: Record<string, unknown>;
  /** Edits agent.yaml's text before the start. */
  configure?: (yaml: string) => string;
  /** Of its process. */
  env?: Record<string, string>;
}

export interface TestAgent {
  id: string;
  dir: string;
  pid: number;
  /** SIGKILL and wait. */
  kill(): Promise<void>;
  restart(env?: Record<string, string>): Promise<void>;
  signal(name: NodeJS.Signals): void;
  log(): Promise<string>;
}

export interface FleetOption {
  gateways?: number;
  /** Edits coordinator.yaml's text before the first start. */
  configure?: (yaml: string) => string;
  /** Appended to coordinator.yaml before the first start. */
  extra?: string;
}

/** An enrollment listener on a free port. */
export const enrollmentConfig = 'enrollment:\n  listen:\n    host: 127.0.0.1\n    port: 0\n';

export async function createFleet({
  gateways = 1,
  configure = (text) => text,
  extra = '',
}: FleetOption = {}): Promise<TestFleet> {
  const scratch = await temporaryDirectory();
  const dir = join(scratch.path, 'fleet');
  const agents: TestAgent[] = [];
  const cli = (args: string[], option: RunOption = {}) =>
    flotilla(args, {
      cwd: scratch.path,
      ...option,
      env: { FLOTILLA_FLEET_DIR: dir, XDG_CONFIG_HOME: join(scratch.path, 'config'), ...option.env },
    });
  const must = async (args: string[], option: RunOption = {}): Promise<Ran> => {
    const ran = await cli(args, option);
    if (ran.exitCode !== 0)
      throw new Error(`flotilla ${args.join(' ')}: exit ${ran.exitCode}\n${ran.stdout}${ran.stderr}`);
    return ran;
  };

  // What is set up here is done by the code behind the commands: the commands have tests of their own, and a start costs
  // ten times what they do.
  await createFleetFiles({
    directory: dir,
    fleetId: createFleetId(),
    hosts: ['127.0.0.1'],
    port: 0,
    passphrase: undefined,
    nowMs: Date.now(),
  });
  const client = new CoordinatorClient(new HttpConnection(join(dir, 'run', 'api.sock')));
  const config = join(dir, 'coordinator.yaml');
  const yaml = await readFile(config, 'utf8');
  await writeFile(config, `${configure(yaml.replace(/^#? ?gateways:.*$/m, `gateways: ${gateways}`))}\n${extra}`);

  let corePid = 0;
  const fleet: TestFleet = {
    dir,
    scratch: scratch.path,
    port: 0,
    recoveryPort: 0,
    cli,
    async startCoordinator(env = {}) {
      const started = (await must(['coordinator', 'start', '--detach', '--json'], { env })).json<{
        pid: number;
        port: number;
        recoveryPort: number;
      }>();
      corePid = started.pid;
      // Agents remember the port: a restart must come back on it.
      if (fleet.port === 0) {
        fleet.port = started.port;
        fleet.recoveryPort = started.recoveryPort;
        const text = await readFile(config, 'utf8');
        const fixed = text.replace(/^  port: 0$/m, `  port: ${started.port}`);
        await writeFile(config, fixed.replace(/^  port: 0$/m, `  port: ${started.recoveryPort}`));
      }
    },
    async stopCoordinator() {
      await must(['coordinator', 'stop', '--json']);
    },
    async killCoordinator() {
      process.kill(corePid, 'SIGKILL');
      await eventually('the core process is gone', () => !alive(corePid));
    },
    coordinatorLog: () => readFile(join(dir, 'run', 'coordinator.log'), 'utf8'),
    async addAgent(id, option = {}) {
      const agentDir = join(scratch.path, id);
      const { csrPem, privateKeyPem } = await createDeviceKeyAndCsr(id);
      const { certificate, authority } = await client.sign({ csr: csrPem });
      await mkdir(agentDir);
      const pems = { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority };
      await writeIdentity(agentDir, pems);
      if (option.grains) await writeFile(join(agentDir, 'grains.yaml'), JSON.stringify(option.grains));
      const configPath = join(agentDir, 'agent.yaml');
      const recovery = '# recoveryPort: 7444';
      const rendered = await renderAgentConfig({ host: '127.0.0.1', port: fleet.port });
      const text = rendered.replace(recovery, `recoveryPort: ${fleet.recoveryPort}`);
      await writeFile(configPath, option.configure?.(text) ?? text);
      return fleet.runAgent(id, agentDir, option.env);
    },
    async runAgent(id, agentDir, env) {
      const agent = await startAgent(id, agentDir, join(agentDir, 'agent.yaml'), env);
      agents.push(agent);
      return agent;
    },
    async connected(id) {
      await eventually(`${id} is connected and has told its grains`, async () => {
        const { connected, grains } = await client.device(id);
        return connected && Object.keys(grains).length > 0;
      });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((agent) => agent.kill()));
      if (corePid !== 0 && alive(corePid)) {
        await client.shutdown().catch(() => process.kill(corePid, 'SIGKILL'));
        await eventually('the core process is gone', () => !alive(corePid)).catch(() =>
          process.kill(corePid, 'SIGKILL'),
        );
      }
      await scratch[Symbol.asyncDispose]();
    },
  };
  await fleet.startCoordinator();
  return fleet;
}

async function startAgent(
  id: string,
  dir: string,
  config: string,
  env: Record<string, string> = {},
): Promise<TestAgent> {
  const logPath = join(dir, 'agent.log');
  const spawnAgent = (more: Record<string, string> = {}) => {
    return execa(process.execPath, [launcher, 'agent', 'run', '--config', config], {
      reject: false,
      cwd: dir, // what a job writes beside it goes away with the agent
      env: { ...env, ...more },
      stdin: 'ignore',
      stdout: { file: logPath, append: true },
      stderr: { file: logPath, append: true },
    });
  };
  let child = spawnAgent();
  const agent: TestAgent = {
    id,
    dir,
    pid: child.pid as number,
    async kill() {
      child.kill('SIGKILL');
      await child;
    },
    async restart(more) {
      child = spawnAgent(more);
      agent.pid = child.pid as number;
    },
    signal: (name) => void child.kill(name),
    log: () => readFile(logPath, 'utf8'),
  };
  return agent;
}

/** An ended process that its parent has not buried yet (in a container, init may take seconds) does not count. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
