/**
 * `flotilla-agent [run] --config FILE [--json]`: the agent as a process. With --json a start that fails is told on
 * stdout. Needs no coordinator to start, and waits for one for ever. `flotilla-agent COMMAND` is what a person or a
 * provisioning program does with it on the device. The build makes one file of this, which runs without anything beside.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createAgent } from '../agent/agent.ts';
import { createLink } from '../agent/link/link.ts';
import { exitCodeOf } from '../cli/exit-code.ts';
import { formatError } from '../cli/format-error.ts';
import { systemClock } from '../clock.ts';
import { loadAgentConfig, packageVersion, type AgentConfig } from '../config/index.ts';
import { runDeviceCommand } from '../device/run-device-command.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { readPublicKey } from '../firmware/index.ts';
import { createLog, type Log } from '../log.ts';
import { loadAuthorityBundle, loadIdentity } from '../pki/load-identity.ts';
import { parseDeviceIdentity, type DeviceIdentity } from '../pki/peer-identity.ts';
import { coordinatorServerName } from '../pki/profile.ts';
import { readSecretFile } from '../pki/secret-file.ts';

/** After this a stop is no longer orderly; the next start takes up whatever was under way. */
const stopLimitMs = 4_000;

process.removeAllListeners('warning'); // node:sqlite still announces itself
void main(process.argv.slice(2)); // one file is CommonJS, where nothing is awaited at the top

async function main(argv: string[]): Promise<void> {
  try {
    const [command = '', ...rest] = argv;
    if (command.startsWith('--config') || command === '--json') await run(argv);
    else if (command === 'run') await run(rest);
    else
      process.exitCode = await runDeviceCommand(argv, {
        version: await packageVersion(),
        agentFile: process.argv[1] ?? '',
      });
  } catch (error) {
    const known =
      error instanceof FlotillaError ? error : new FlotillaError('ours', 'internal', String(error), { cause: error });
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: known.toJSON() })}\n`);
    else process.stderr.write(formatError(known));
    process.exit(exitCodeOf(known.fault));
  }
}

async function run(argv: string[]): Promise<void> {
  const config = await loadAgentConfig(configPath(argv));
  const identity = await readIdentity(config);
  const logger = createLog({
    name: 'agent',
    level: config.log.level,
    ...(config.log.file ? { destination: config.log.file } : {}),
  });
  process.on('uncaughtException', (error) => end(logger, error));
  process.on('unhandledRejection', (error) => end(logger, error));
  const agent = createAgent({
    config,
    publicKeys: await Promise.all((config.update?.keys ?? []).map(readPublicKey)),
    agentVersion: await packageVersion(),
    serverName: config.coordinator.serverName ?? coordinatorServerName(identity.fleetId),
    clock: systemClock,
    logger: logger.child({ device: identity.deviceId }),
    createLink,
    onFatal: (error) => end(logger, error),
  });
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'agent stops');
    const code = signal === 'SIGINT' ? 130 : 0;
    setTimeout(() => process.exit(code), stopLimitMs).unref();
    void agent.stop().finally(() => process.exit(code));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await agent.start();
}

function configPath(argv: string[]): string {
  try {
    const { values } = parseArgs({ args: argv, options: { config: { type: 'string' }, json: { type: 'boolean' } } });
    if (values.config !== undefined) return values.config;
  } catch (cause) {
    throw new FlotillaError('usage', 'usage', (cause as Error).message, { expected: '--config FILE', cause });
  }
  throw new FlotillaError('usage', 'usage', 'the agent needs its configuration', { expected: '--config FILE' });
}

async function readIdentity({ identity }: AgentConfig): Promise<DeviceIdentity> {
  await readSecretFile(identity.key); // said first: refused when others may read it
  await requireFile(identity.certificate);
  await requireFile(identity.authority);
  const { certificate } = await loadIdentity({ certificateFile: identity.certificate, keyFile: identity.key });
  await loadAuthorityBundle(identity.authority);
  return parseDeviceIdentity(certificate);
}

async function requireFile(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (cause) {
    throw new FlotillaError(
      'usage',
      'agent-certificate-missing',
      `the device has no certificate yet: ${path} can't be read`,
      {
        seen: systemErrorCode(cause) ?? String(cause),
        suggestion: 'on the coordinator: flotilla cert sign device.csr --out device.crt --authority-out authority.crt',
        cause,
      },
    );
  }
}

function end(logger: Log, error: unknown): never {
  logger.fatal({ err: error }, 'the agent ends');
  process.exit(1);
}
