/**
 * `coordinator.ts --fleet-dir DIR [--json]`: the core process. Prints one JSON line on stdout when it is ready. A start
 * that fails is told on stderr, or with --json on stdout as `{"error": …}`. SIGTERM, SIGINT and `coordinator stop` drain
 * and exit with 0.
 */
import '../no-maglev.ts';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LineCounter, parseDocument } from 'yaml';
import { exitCodeOf } from '../cli/exit-code.ts';
import { formatError } from '../cli/format-error.ts';
import { systemClock } from '../clock.ts';
import {
  type CoordinatorConfig,
  type FleetLayout,
  type RecoveryConfig,
  fleetLayout,
  findFleetDir,
  loadCoordinatorConfig,
  packageRoot,
  packageVersion,
} from '../config/index.ts';
import { AuthorityKeeper } from '../coordinator/authority/index.ts';
import { type CoordinatorOption, startCoordinator } from '../coordinator/coordinator.ts';
import { deltaProcess } from '../coordinator/delta/run-delta-process.ts';
import { createHook } from '../coordinator/hook/create-hook.ts';
import { createGatewayPool } from '../coordinator/gateway/index.ts';
import { startRecoveryPort } from '../coordinator/recovery/recovery-port.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { createLog, type Log } from '../log.ts';
import { loadCertificate, loadFleetIdentity, msPerDay, readOperatorIdentity } from '../pki/index.ts';

/** By error code, the key of coordinator.yaml that is to be mended. */
const configKeys: Record<string, string[]> = {
  'gateway-listen': ['listen', 'port'],
  'api-listen': ['api'],
  'recovery-listen': ['recovery', 'port'],
  'pki-other-fleet': ['fleetId'],
  'enrollment-listen': ['enrollment', 'listen', 'port'],
};

process.removeAllListeners('warning'); // node:sqlite still announces itself
process.umask(0o077); // the database, the bundles, the socket: for this user alone
try {
  await run();
} catch (error) {
  const known = asKnown(error);
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: known.toJSON() })}\n`);
  else process.stderr.write(formatError(known));
  process.exit(exitCodeOf(known.fault));
}

async function run(): Promise<void> {
  const { values } = parseArgs({ options: { 'fleet-dir': { type: 'string' }, json: { type: 'boolean' } } });
  const directory = await findFleetDir(values['fleet-dir']);
  const layout = fleetLayout(directory);
  const config = await loadCoordinatorConfig(layout.config);
  const log = createLog({ name: 'core', level: config.log.level });
  const identity = await loadFleetIdentity(layout, config.fleetId).catch(async (error: unknown) => {
    throw await withConfigLine(error, layout.config);
  });
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const stopping = Promise.withResolvers<FlotillaError | undefined>();
  const spread = config.link.retrySpreadSeconds;
  const version = await packageVersion();
  const coordinator = await startCoordinator({
    config,
    ...(config.connectHook === undefined ? {} : { connectHook: createHook(config.connectHook, directory) }),
    ...(config.enrollment?.hook === undefined ? {} : { enrollHook: createHook(config.enrollment.hook, directory) }),
    authorities: new AuthorityKeeper({
      fleetId: config.fleetId,
      files: layout,
      identity,
      readHosts: async () => (await loadCoordinatorConfig(layout.config)).hosts,
      log,
    }),
    keyDirectory: layout.keys,
    ...(await readFirstOperator(layout)),
    version,
    storeEntry: new URL(`./store-thread.${extension}`, import.meta.url),
    clock: systemClock,
    log,
    startGateways: ({ handler, blobDirectory, authorities }) =>
      createGatewayPool({
        count: config.gateways === 'auto' ? availableParallelism() : config.gateways,
        listen: config.listen,
        tls: {
          keyFile: layout.coordinatorKey,
          certificateFile: layout.coordinatorCertificate,
          authorityFile: layout.authorityBundle,
        },
        authorities,
        blobDirectory,
        gatewayEntry: join(import.meta.dirname, `gateway.${extension}`),
        opensslConfigFile: join(packageRoot(), 'templates', 'gateway-openssl.cnf'),
        fleetId: config.fleetId,
        handler,
        log,
        keyExchange: config.link.keyExchange,
        packing: config.link.packing,
        ticketKeyFile: join(config.data, 'ticket-key.json'),
        limits: {
          helloTimeoutMs: config.link.helloTimeoutMs,
          keepaliveMs: config.link.keepaliveSeconds * 1000,
          retrySpreadMs: spread === 'auto' ? spread : spread * 1000,
        },
        logLevel: config.log.level,
      }).catch(async (error: unknown) => {
        throw await withConfigLine(error, layout.config);
      }),
    makeDelta: (signal) => deltaProcess(join(import.meta.dirname, `delta.${extension}`), signal),
    ...(config.recovery === undefined
      ? {}
      : { startRecovery: recoveryStarter(config, config.recovery, { layout, extension, log }) }),
    onEnd: (error) => stopping.resolve(error),
  });
  process.on('uncaughtException', (error) => stopping.resolve(asKnown(error)));
  process.on('unhandledRejection', (error) => stopping.resolve(asKnown(error)));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.resolve(undefined));

  const { port, recoveryPort, socket } = coordinator;
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, port, recoveryPort, socket })}\n`);
  log.info({ port, recoveryPort, socket, version }, 'coordinator is ready');
  const error = await stopping.promise;
  await stop(coordinator, error, log);
}

/** It may have been moved away: then the unix socket makes others. */
async function readFirstOperator({ operatorCertificate }: FleetLayout): Promise<{ firstOperatorPem?: string }> {
  if (!existsSync(operatorCertificate)) return {};
  const { certificatePem, certificate } = await loadCertificate(operatorCertificate);
  return typeof readOperatorIdentity(certificate) === 'string' ? {} : { firstOperatorPem: certificatePem };
}

function recoveryStarter(
  { fleetId, log: { level } }: CoordinatorConfig,
  { host, port, maxExpiredDays }: RecoveryConfig,
  parts: { layout: FleetLayout; extension: string; log: Log },
): NonNullable<CoordinatorOption['startRecovery']> {
  const { layout, extension, log } = parts;
  return (ask, trust) =>
    startRecoveryPort({
      entry: join(import.meta.dirname, `recovery.${extension}`),
      listen: { host, port },
      fleetId,
      tls: { keyFile: layout.coordinatorKey, certificateFile: layout.coordinatorCertificate },
      trust,
      maxExpiredMs: maxExpiredDays * msPerDay,
      log,
      logLevel: level,
      ask,
    }).catch(async (error: unknown) => {
      throw await withConfigLine(error, layout.config);
    });
}

async function stop(coordinator: { stop(): Promise<void> }, error: FlotillaError | undefined, log: Log): Promise<void> {
  if (error === undefined) log.info('coordinator stops');
  else log.fatal({ err: error }, 'coordinator can not go on');
  await coordinator.stop();
  process.exit(error === undefined ? 0 : exitCodeOf(error.fault));
}

async function withConfigLine(error: unknown, file: string): Promise<unknown> {
  if (!(error instanceof FlotillaError)) return error;
  const key = configKeys[error.code];
  if (key === undefined) return error;
  const lineCounter = new LineCounter();
  const document = parseDocument(await readFile(file, 'utf8'), { lineCounter });
  const node = document.getIn(key, true) as { range?: [number, number, number] } | undefined;
  if (node?.range === undefined) return error;
  const { line, col } = lineCounter.linePos(node.range[0]);
  return new FlotillaError(error.fault, error.code, error.message, {
    ...error.detail,
    position: { file, line, column: col },
  });
}

function asKnown(error: unknown): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (systemErrorCode(error) === 'ENOSPC') {
    return new FlotillaError('failed', 'disk-full', `the disk is full: ${message}`, { cause: error });
  }
  return new FlotillaError('ours', 'internal', message, { cause: error });
}
