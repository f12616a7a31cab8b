import type { DeviceStatus } from './device-status.ts';
import type { ServiceStatus } from './service-status.ts';

const dayMs = 86_400_000;

/** What a person reads; a fact a line. */
export function formatDeviceStatus(
  { config, version, node, service, identity, agent }: DeviceStatus,
  nowMs: number,
): string {
  const lines: [string, string][] = [['agent', `${version}, ${node}, ${config}`]];
  if ('fault' in identity) lines.push(['device', identity.fault.message]);
  else {
    const days = Math.floor((identity.notAfterMs - nowMs) / dayMs);
    const left = days >= 0 ? `${days} days left` : `expired ${-days} days ago`;
    lines.push(['device', `${identity.deviceId} of ${identity.fleetId}`]);
    lines.push(['certificate', `until ${time(identity.notAfterMs)} (${left}), by ${identity.issuer}`]);
  }
  lines.push(['service', formatService(service)]);
  if ('fault' in agent) lines.push(['link', `no agent answers: ${agent.fault.message}`]);
  else {
    const { link, lanes, update, pressure } = agent;
    const reason = link.reason === undefined ? '' : `: ${link.reason}`;
    const waiting = lanes.reduce((sum, lane) => sum + lane.waitingRows, 0);
    lines.push(['link', `${link.state} since ${time(link.sinceMs)}${reason}`]);
    lines.push(['waiting', `${waiting} events${pressure === 'none' ? '' : `, the log is ${pressure}`}`]);
    lines.push(['update', update === undefined ? 'none yet' : `${update.version} ${update.state} since ${time(update.sinceMs)}${update.reason === undefined ? '' : `: ${update.reason}`}`]); // prettier-ignore
    if (agent.agentVersion !== version) lines.push(['running', `${agent.agentVersion}: not yet restarted`]);
  }
  return lines.map(([name, text]) => `${`${name}:`.padEnd(13)}${printableLine(text)}\n`).join('');
}

function formatService({ init, state, enabled, pid, restarts, sinceMs, memoryBytes }: ServiceStatus): string {
  if (state === 'not-installed') return `not installed (${init})`;
  const facts = [
    `${state}, by ${init}`,
    enabled ? '' : 'not at boot',
    sinceMs === undefined ? '' : `since ${time(sinceMs)}`,
    pid === undefined ? '' : `pid ${pid}`,
    memoryBytes === undefined ? '' : `${(memoryBytes / 1_048_576).toFixed(1)} MiB`,
    restarts ? `restarted ${restarts} times` : '',
  ];
  return facts.filter(Boolean).join(', ');
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace(/\.\d+/, '');
}

/** Nothing that is quoted may move a cursor. */
export function printableLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ');
}
