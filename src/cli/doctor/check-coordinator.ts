/** The running coordinator: does its API answer, and does its port take connections? */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { CoordinatorStatus } from '../../client/contract/index.ts';
import type { CoordinatorClient } from '../../client/coordinator-client.ts';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { formatDuration, plural } from '../human.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const connectTimeoutMs = 3000;
/** One that hangs takes the request and never answers. */
const answerTimeoutMs = 5_000;

export interface Answer {
  findings: Finding[];
  /** Undefined: it does not answer. */
  status?: CoordinatorStatus;
}

/** A coordinator that is not running is a warning when its port is free, and has failed when it is taken. */
export async function checkCoordinator(client: CoordinatorClient, config: CoordinatorConfig): Promise<Answer> {
  let status: CoordinatorStatus;
  try {
    status = await client.status(AbortSignal.timeout(answerTimeoutMs));
  } catch (error) {
    const isLate = error instanceof FlotillaError && (error.detail.cause as Error | undefined)?.name === 'AbortError';
    const told = error instanceof FlotillaError ? (error.detail.seen ?? error.message) : String(error);
    const seen = isLate ? `no answer within ${answerTimeoutMs / 1000} s` : told;
    if (error instanceof FlotillaError && error.fault === 'forbidden') {
      return { findings: [fail('coordinator', seen, error.detail.suggestion ?? 'run as the user who started it')] };
    }
    const down = warn('coordinator', `does not answer: ${seen}`, 'flotilla coordinator start --detach');
    return { findings: [down, await checkPort(config)] };
  }
  const findings = [judgeStatus(status)];
  if (status.fleetId !== config.fleetId) {
    const seen = `the coordinator on ${config.socket} serves ${status.fleetId}, not ${config.fleetId}`;
    findings.push(fail('coordinator', seen, 'stop it, or give each fleet its own socket: in coordinator.yaml'));
  }
  findings.push(await checkListening('port', status.listen));
  if (config.enrollment !== undefined) findings.push(await checkEnrollment(status, config.enrollment.listen.host));
  return { findings, status };
}

export function judgeStatus({ pid, devices, gateways, startedAtMs }: CoordinatorStatus): Finding {
  if (gateways.length === 0) {
    return fail('coordinator', `pid ${pid} has no gateway: no device can connect`, 'look into run/coordinator.log');
  }
  const up = formatDuration(Date.now() - startedAtMs);
  const seen = `pid ${pid}, up ${up}, ${plural(devices.connected, 'device')} connected of ${devices.total}`;
  return ok('coordinator', seen);
}

async function checkEnrollment({ enrollment }: CoordinatorStatus, host: string): Promise<Finding> {
  const mend = 'look into run/coordinator.log, and at enrollment: in coordinator.yaml';
  if (enrollment === undefined) return fail('enrollment-port', 'the coordinator does not listen', mend);
  return checkListening('enrollment-port', { host, port: enrollment.port });
}

async function checkListening(id: string, { host, port }: { host: string; port: number }): Promise<Finding> {
  const target = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const socket = connect({ host: target, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectTimeoutMs) });
    return ok(id, `${target}:${port} takes connections`);
  } catch (error) {
    const seen = `${target}:${port}: ${systemErrorCode(error) ?? String(error)}`;
    return fail(id, seen, 'look into run/coordinator.log; is a firewall in the way?');
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
      return fail('port', `${seen}, another program has it`, `see who: ss -ltnp 'sport = :${listen.port}'`);
    }
    return fail('port', seen, 'mend listen: in coordinator.yaml');
  } finally {
    server.close();
  }
}
