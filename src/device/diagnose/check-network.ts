/** The way to the coordinator, one step after the other: the first that fails is the one to mend. */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { connect, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { AgentConfig } from '../../config/agent-config.ts';
import { systemErrorCode } from '../../error.ts';
import { loadIdentity } from '../../pki/load-identity.ts';
import { parseDeviceIdentity } from '../../pki/peer-identity.ts';
import { coordinatorServerName } from '../../pki/profile.ts';
import { readSecretFile } from '../../pki/secret-file.ts';
import { dialTls } from '../../transport/tls-dialer.ts';
import { bad, ok, skipped, warn, type Finding } from './finding.ts';

const stepLimitMs = 10_000;

export async function checkNetwork(config: AgentConfig): Promise<Finding[]> {
  const { host, port } = config.coordinator;
  const findings = [await checkInterfaces(host)];
  const name = await checkName(host);
  findings.push(name);
  if (name.verdict === 'bad') return [...findings, skipped('port', 'no address'), skipped('tls', 'no address')];
  const reach = await checkPort(host, port);
  findings.push(reach);
  findings.push(reach.verdict === 'bad' ? skipped('tls', 'no connection') : await checkTls(config));
  return findings;
}

async function checkInterfaces(host: string): Promise<Finding> {
  const name = 'network';
  const outside = Object.entries(networkInterfaces()).flatMap(([device, list]) =>
    (list ?? []).filter(({ internal }) => !internal).map(({ address }) => `${device} ${address}`),
  );
  const local = host === 'localhost' || /^127\.|^::1$/.test(host);
  if (outside.length === 0 && !local)
    return bad(name, 'no interface has an address', 'plug in the cable, or see ip addr and the network service');
  if (!local && !(await hasDefaultRoute()))
    return warn(
      name,
      `${outside.join(', ')}; no default route`,
      'see ip route; fine where the coordinator is in the same network',
    );
  return ok(name, outside.join(', ') || 'loopback');
}

/** Destination 0 with mask 0; IPv6 has its own table. */
async function hasDefaultRoute(): Promise<boolean> {
  const [v4, v6] = await Promise.all(
    ['/proc/net/route', '/proc/net/ipv6_route'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return /^\S+\t00000000\t\S+\t\S+\t\S+\t\S+\t\S+\t00000000/m.test(v4!) || /^0{32} 00 .*(?<! lo)$/m.test(v6!);
}

async function checkName(host: string): Promise<Finding> {
  if (isIP(host)) return ok('dns', `${host} is an address`);
  try {
    const found = await lookup(host, { all: true });
    return ok('dns', `${host} is ${found.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    return bad(
      'dns',
      `${host}: ${systemErrorCode(error) ?? String(error)}`,
      'see /etc/resolv.conf, or write the address into coordinator.host',
    );
  }
}

async function checkPort(host: string, port: number): Promise<Finding> {
  const begun = performance.now();
  const fault = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host, port });
    const settle = (reason?: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reason);
    };
    const timer = setTimeout(() => settle(`no answer in ${stepLimitMs / 1_000} s`), stepLimitMs);
    socket.once('connect', () => settle());
    socket.once('error', (error) => settle(systemErrorCode(error) ?? error.message));
  });
  const place = `${host} port ${port}`;
  if (fault === undefined) return ok('port', `${place} answers after ${Math.round(performance.now() - begun)} ms`);
  const mend =
    fault === 'ECONNREFUSED'
      ? 'start the coordinator, or mend coordinator.port'
      : 'see the firewall and the way between';
  return bad('port', `${place}: ${fault}`, mend);
}

/** The very handshake that the agent makes, with its identity; nothing is said after it. */
async function checkTls({ coordinator, identity, link }: AgentConfig): Promise<Finding> {
  const name = 'tls';
  try {
    const { certificate, certificatePem } = await loadIdentity({
      certificateFile: identity.certificate,
      keyFile: identity.key,
    });
    const { fleetId } = parseDeviceIdentity(certificate);
    const serverName = coordinator.serverName ?? coordinatorServerName(fleetId);
    const option = {
      host: coordinator.host,
      port: coordinator.port,
      serverName,
      keyExchange: link.keyExchange,
      keyPem: (await readSecretFile(identity.key)).toString('utf8'),
      certificatePem,
      authorityPem: await readFile(identity.authority, 'utf8'),
    };
    const fault = await new Promise<string | undefined>((resolve) => {
      const giveUp = dialTls({
        ...option,
        onTicket: () => undefined,
        onStream: (stream) => {
          clearTimeout(timer);
          stream.destroy();
          resolve(undefined);
        },
        onFailed: (reason) => {
          clearTimeout(timer);
          resolve(reason);
        },
      });
      const timer = setTimeout(() => {
        giveUp();
        resolve('no answer');
      }, stepLimitMs);
    });
    return fault === undefined
      ? ok(name, `${serverName} shows a certificate of the fleet`)
      : bad(name, fault, mendOf(fault));
  } catch (error) {
    return skipped(name, error instanceof Error ? error.message : String(error));
  }
}

function mendOf(fault: string): string {
  if (/EXPIRED|NOT_YET_VALID/.test(fault)) return 'set the clock; else the coordinator needs a new certificate';
  if (/SELF_SIGNED|UNABLE_TO|ISSUER|SIGNATURE/.test(fault))
    return 'this is not the coordinator of this fleet, or authority.crt is of another';
  if (/ALTNAME|Hostname/i.test(fault))
    return 'another fleet answers there: mend coordinator.host or coordinator.serverName';
  if (/ALERT|alert/.test(fault))
    return "the coordinator refuses this device's certificate: flotilla device show, flotilla cert list";
  return 'something between may cut or read the connection (a proxy, a portal)';
}
