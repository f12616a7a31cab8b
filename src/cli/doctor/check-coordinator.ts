/** The running coordinator: does its API answer, and does its port take connections? */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { CoordinatorStatus } from '../../client/contract/index.ts';
import type { CoordinatorClient } from '../../client/coordinator-client.ts';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { formatDuration, plural } from '../human.ts';
import { type Finding, bad, ok, warn } from './finding.ts';

const connectTimeoutMs = 3000;

/** Both findings; a coordinator that is not running is a warning when its port is free, bad when it is taken. */
export async function checkCoordinator(client: CoordinatorClient, config: CoordinatorConfig): Promise<Finding[]> {
  let status: CoordinatorStatus;
  try {
    status = await client.status();
  } catch (error) {
    const seen = error instanceof FlotillaError ? (error.detail.seen ?? error.message) : String(error);
    if (error instanceof FlotillaError && error.fault === 'forbidden') {
      return [bad('coordinator', seen, error.detail.suggestion ?? 'run as the user who started it')];
    }
    return [
      warn('coordinator', `does not answer: ${seen}`, 'flotilla coordinator start --detach'),
      await checkPort(config),
    ];
  }
  const { pid, devices, gateways } = status;
  const up = formatDuration(Date.now() - status.startedAtMs);
  const findings = [
    gateways.length === 0
      ? bad('coordinator', `pid ${pid} has no gateway: no device can connect`, 'look into run/coordinator.log')
      : ok('coordinator', `pid ${pid}, up ${up}, ${plural(devices.connected, 'device')} connected of ${devices.total}`),
  ];
  if (status.fleetId !== config.fleetId) {
    const seen = `the coordinator on ${config.socket} serves ${status.fleetId}, not ${config.fleetId}`;
    findings.push(bad('coordinator', seen, 'stop it, or give each fleet its own socket: in coordinator.yaml'));
  }
  return [...findings, await checkListening(status.listen)];
}

async function checkListening({ host, port }: { host: string; port: number }): Promise<Finding> {
  const target = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const socket = connect({ host: target, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectTimeoutMs) });
    return ok('port', `${target}:${port} takes connections`);
  } catch (error) {
    const seen = `${target}:${port}: ${systemErrorCode(error) ?? String(error)}`;
    return bad('port', seen, 'look into run/coordinator.log; is a firewall in the way?');
  } finally {
    socket.destroy();
  }
}

async function checkPort({ listen }: CoordinatorConfig): Promise<Finding> {
  const server = createServer();
  try {
    server.listen(listen.port, listen.host);
    await once(server, 'listening');
    return ok('port', listen.port === 0 ? 'any free one (port: 0)' : `${listen.host}:${listen.port} is free`);
  } catch (error) {
    const code = systemErrorCode(error);
    const seen = `${listen.host}:${listen.port}: ${code ?? String(error)}`;
    if (code === 'EADDRINUSE') {
      return bad('port', `${seen}, another program has it`, `see who: ss -ltnp 'sport = :${listen.port}'`);
    }
    return bad('port', seen, 'mend listen: in coordinator.yaml');
  } finally {
    server.close();
  }
}
