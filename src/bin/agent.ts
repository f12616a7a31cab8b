/**
 * `flotilla-agent [run] --config FILE [--json]`: the agent as a process. With --json a start that fails is told on
 * stdout. Needs no coordinator to start, and waits for one for ever. `flotilla-agent COMMAND` is what a person or a
 * provisioning program does with it on the device. The build makes one file of this, which runs without anything beside.
 */
import '../no-maglev.ts';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createAgent } from '../agent/agent.ts';
import { closeExposed } from '../agent/identity/close-exposed.ts';
import { createLink } from '../agent/link/link.ts';
import { takeLaunch } from '../agent/program/take-launch.ts';
import { BoundedFile } from '../agent/output/bounded-file.ts';
import { isJournal, journalOutput } from '../agent/output/journal-output.ts';
import { exitCodeOf } from '../cli/exit-code.ts';
import { formatError } from '../cli/format-error.ts';
import { systemClock } from '../clock.ts';
import { loadAgentConfig, packageVersion, type AgentConfig, type LogConfig } from '../config/index.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { readPublicKey } from '../firmware/archive/key.ts';
import { createLog, openLog, type Log, type LogOutput } from '../log.ts';
import { loadAuthorityBundle, loadIdentity } from '../pki/load-identity.ts';
import { parseDeviceIdentity, type DeviceIdentity } from '../pki/peer-identity.ts';
import { coordinatorServerName, parseAuthorityName } from '../pki/profile.ts';
import { readSecretFile } from '../pki/secret-file.ts';

/** After this a stop is no longer orderly; the next start takes up whatever was under way. */
const stopLimitMs = 4_000;

process.removeAllListeners('warning'); // node:sqlite still announces itself
void main(process.argv.slice(2)); // one file is CommonJS, where nothing is awaited at the top

async function main(argv: string[]): Promise<void> {
  try {
    leaveLostDirectory();
    const [command = '', ...rest] = argv;
    if (command.startsWith('--config') || command === '--json') await run(argv);
    else if (command === 'run') await run(rest);
    else process.exitCode = await serve(argv);
  } catch (error) {
    const known =
      error instanceof FlotillaError ? error : new FlotillaError('ours', 'internal', String(error), { cause: error });
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: known.toJSON() })}\n`);
    else process.stderr.write(formatError(known));
    process.exit(exitCodeOf(known.fault));
  }
}

/** Loaded for a person only: the agent itself carries none of it. */
async function serve(argv: string[]): Promise<number> {
  const { runDeviceCommand } = await import('../device/run-device-command.ts');
  return runDeviceCommand(argv, { version: await packageVersion(), agentFile: process.argv[1] ?? '' });
}

/** A folder that was removed under us (an upload that is tidied away) is no place to start programs from. */
function leaveLostDirectory(): void {
  try {
    process.cwd();
  } catch {
    process.chdir('/');
  }
}

async function run(argv: string[]): Promise<void> {
  const { configFile, logFile } = parseRun(argv);
  const config = await loadAgentConfig(configFile);
  const closed = await closeExposed({ key: config.identity.key, state: config.state });
  const identity = await readIdentity(config);
  const logger = createLog({ name: 'agent', level: config.log.level, destination: openOutput(config.log, logFile) });
  if (closed.length > 0) logger.warn({ files: closed }, 'others could use files of this agent: closed to them again');
  process.on('uncaughtException', (error) => end(logger, error));
  process.on('unhandledRejection', (error) => end(logger, error));
  const launch = takeLaunch(process.env);
  const agent = createAgent({
    config,
    publicKeys: await Promise.all((config.update?.keys ?? []).map(readPublicKey)),
    programKeys: await Promise.all((config.selfUpdate.keys ?? config.update?.keys ?? []).map(readPublicKey)),
    ...(launch === undefined ? {} : { launch: { ...launch, restart: () => stop('restart') } }),
    agentVersion: await packageVersion(),
    serverName: config.coordinator.serverName ?? coordinatorServerName(identity.fleetId),
    clock: systemClock,
    identity: { fleetId: identity.fleetId, deviceId: identity.deviceId },
    logger: logger.child({ device: identity.deviceId }),
    createLink,
    onFatal: (error) => end(logger, error),
  });
  const stop = (signal: NodeJS.Signals | 'restart') => {
    logger.info({ signal }, 'agent stops');
    const code = signal === 'SIGINT' ? 130 : 0;
    setTimeout(() => process.exit(code), stopLimitMs).unref();
    void agent.stop().finally(() => process.exit(code));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await agent.start();
}

function parseRun(argv: string[]): { configFile: string; logFile: string | undefined } {
  const options = { config: { type: 'string' }, 'log-file': { type: 'string' }, json: { type: 'boolean' } } as const;
  const expected = '--config FILE [--log-file FILE]';
  try {
    const { config: configFile, 'log-file': logFile } = parseArgs({ args: argv, options }).values;
    if (configFile !== undefined) return { configFile, logFile };
  } catch (cause) {
    throw new FlotillaError('usage', 'usage', (cause as Error).message, { expected, cause });
  }
  throw new FlotillaError('usage', 'usage', 'the agent needs its configuration', { expected });
}

/** `log.file` of the configuration, else the file that an init without a journal names, else stderr. */
function openOutput({ file, maxBytes, keep }: LogConfig, fallback: string | undefined): LogOutput {
  const path = file ?? fallback;
  if (path !== undefined) return new BoundedFile({ path, maxBytes, keep });
  return isJournal(process.env) ? journalOutput(openLog(2)) : openLog(2);
}

/** The fleet, and what the log calls this device: with a manufacturer's certificate the coordinator names it. */
async function readIdentity({ identity }: AgentConfig): Promise<Pick<DeviceIdentity, 'fleetId' | 'deviceId'>> {
  await readSecretFile(identity.key); // said first: refused when others may read it
  await requireFile(identity.certificate);
  await requireFile(identity.authority);
  const { certificate } = await loadIdentity({ certificateFile: identity.certificate, keyFile: identity.key });
  const { certificates } = await loadAuthorityBundle(identity.authority);
  const root = certificates.map(({ subject }) => parseAuthorityName(subject)).find((name) => name?.kind === 'root');
  if (root === undefined || parseAuthorityName(certificate.issuer) !== undefined)
    return parseDeviceIdentity(certificate);
  return { fleetId: root.fleetId, deviceId: certificate.subject.replaceAll('\n', ', ') };
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
