/** Clock, disk, permissions, and what the init and the agent say: no network is needed for these. */
import { access, constants, lstat, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AgentConfig } from '../../config/agent-config.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { loadAuthorityBundle, loadIdentity } from '../../pki/load-identity.ts';
import { findAccount } from '../install/account.ts';
import { ask, detectInit } from '../init/init-system.ts';
import { serviceUser } from '../init/service-file.ts';
import { serviceName } from '../layout.ts';
import type { DeviceStatus } from '../status/device-status.ts';
import { bad, ok, skipped, warn, type Finding } from './finding.ts';

const dayMs = 86_400_000;
/** No agent of this kind existed before. */
const oldestClockMs = Date.UTC(2026, 0, 1);
const maxSkewSeconds = 300;
const fewRestarts = 3;

export async function checkClock(nowMs: number, { agent }: DeviceStatus): Promise<Finding> {
  const now = new Date(nowMs).toISOString();
  const skewSeconds = 'fault' in agent ? undefined : agent.clock?.skewSeconds;
  if (skewSeconds !== undefined && Math.abs(skewSeconds) > maxSkewSeconds)
    return warn(
      'clock',
      `it says ${now}, which is ${skewSeconds} s off the coordinator's`,
      'set it; until then the agent goes by the coordinator',
    );
  if (nowMs < oldestClockMs)
    return bad('clock', `it says ${now}`, 'set it (timedatectl set-time …), and see its battery and the time service');
  const { exitCode, output } = await ask(['timedatectl', 'show', '--property=NTPSynchronized', '--value']);
  if (exitCode === 0 && output === 'no')
    return warn('clock', `${now}, not synchronised`, 'timedatectl set-ntp true; certificates and jobs expire by it');
  return ok('clock', exitCode === 0 ? `${now}, synchronised` : now);
}

/** The identity as the agent uses it: readable, whole, valid now, and signed by whom it trusts. */
export async function checkCertificate({ identity }: AgentConfig, nowMs: number): Promise<Finding> {
  const name = 'certificate';
  try {
    const { certificate } = await loadIdentity({ certificateFile: identity.certificate, keyFile: identity.key });
    const authorities = (await loadAuthorityBundle(identity.authority)).certificates;
    const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    if (!authorities.some((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey)))
      return bad(
        name,
        `none of the authorities in ${identity.authority} has signed it`,
        'put the authority.crt of its fleet there',
      );
    if (nowMs < from) return bad(name, `valid from ${day(from)}, and the clock says ${day(nowMs)}`, 'set the clock');
    if (nowMs > to)
      return bad(
        name,
        `expired on ${day(to)}`,
        'sign a new one: flotilla cert sign device.csr, then flotilla-agent install --certificate FILE',
      );
    const days = Math.floor((to - nowMs) / dayMs);
    if (nowMs > from + (to - from) * 0.85)
      return warn(
        name,
        `expires in ${days} days and is not renewed yet`,
        'see that the link is live: renewal goes over it',
      );
    return ok(name, `valid until ${day(to)} (${days} days), its key fits`);
  } catch (error) {
    const detail = error instanceof FlotillaError ? error.detail : {};
    return bad(
      name,
      error instanceof Error ? error.message : String(error),
      detail.suggestion ?? 'see the identity: section of agent.yaml',
    );
  }
}

/** The key is its user's alone, and the user may write where the agent writes. */
export async function checkPermissions(config: AgentConfig): Promise<Finding> {
  const name = 'permissions';
  const user = serviceUser(config);
  try {
    const key = await lstat(config.identity.key);
    if ((key.mode & 0o077) !== 0)
      return bad(
        name,
        `${config.identity.key} has mode 0${(key.mode & 0o777).toString(8)}: others may read it`,
        `chmod 600 ${config.identity.key}`,
      );
    const account = await findAccount('/', user);
    if (account === undefined) return warn(name, `there is no user ${user}`, 'flotilla-agent install makes it');
    for (const path of [config.identity.key, config.state]) {
      const { uid } = await stat(path);
      // Root may everything; anybody else needs to be the owner.
      if (uid !== account.uid && account.uid !== 0)
        return warn(
          name,
          `${path} belongs to user ${uid}, the service runs as ${user}`,
          `chown -R ${user}: ${path}; or flotilla-agent install`,
        );
    }
    return ok(name, `${user} owns its key and its state`);
  } catch (error) {
    return bad(name, error instanceof Error ? error.message : String(error), 'flotilla-agent install puts it right');
  }
}

export async function checkDisk({ state, events }: AgentConfig): Promise<Finding> {
  const name = 'disk';
  const mebibytes = (bytes: number) => `${Math.floor(bytes / 1_048_576)} MiB`;
  const folder = await nearest(state);
  try {
    const { bavail, bsize, ffree, files } = await statfs(folder);
    const free = bavail * bsize;
    if (files > 0 && ffree === 0) return bad(name, `no inode is free below ${folder}`, 'remove files');
    if (free < events.minFreeBytes)
      return bad(
        name,
        `${mebibytes(free)} free for ${state}; below ${mebibytes(events.minFreeBytes)} events are given up`,
        'make room, or lower events.minFreeBytes',
      );
    if (process.getuid?.() === 0) await access(folder, constants.W_OK);
    return ok(name, `${mebibytes(free)} free for ${state}`);
  } catch (error) {
    return bad(name, `${folder}: ${systemErrorCode(error) ?? String(error)}`, 'mount the data partition, writable');
  }
}

export function checkService({ service }: DeviceStatus): Finding {
  const name = 'service';
  const { init, state, enabled, restarts = 0 } = service;
  if (state === 'not-installed') return warn(name, `not installed (${init})`, 'flotilla-agent install --config FILE');
  if (state !== 'running')
    return bad(
      name,
      `${state}, by ${init}`,
      `see its log below; start it: ${init === 'systemd' ? `systemctl start ${serviceName}` : `/etc/init.d/${serviceName} start`}`,
    );
  if (!enabled) return warn(name, 'it runs, but does not start at boot', 'flotilla-agent install');
  if (restarts > fewRestarts) return warn(name, `it was started again ${restarts} times`, 'see its log below');
  return ok(name, `running, by ${init}`);
}

export function checkLink({ agent, service }: DeviceStatus): Finding {
  const name = 'link';
  if ('fault' in agent)
    return bad(
      name,
      `no agent answers: ${agent.fault.message}`,
      service.state === 'running' ? 'see its log below; it may be about to start' : 'see the service above',
    );
  const { link, pressure } = agent;
  const reason = link.reason === undefined ? '' : `: ${link.reason}`;
  if (link.state === 'held')
    return warn(name, `held${reason}`, 'an operator has to decide: flotilla device show, flotilla device accept');
  if (link.state !== 'live')
    return bad(name, `${link.state}${reason}`, 'see the checks of the network above; the agent goes on trying');
  if (pressure !== 'none')
    return warn(name, `live, and the log is ${pressure}`, 'make room on the disk, or publish less');
  return ok(name, 'live');
}

/** The last words of the agent that are errors. */
export async function checkLog(config: AgentConfig): Promise<Finding> {
  const name = 'log';
  const lines = await readLogTail(config, 400);
  if (lines === undefined) return skipped(name, 'no log can be read here');
  const errors = lines.filter((line) => /"level":[56]0\b/.test(line)).slice(-3);
  if (errors.length === 0) return ok(name, `no error in the last ${lines.length} lines`);
  return warn(
    name,
    errors.map((line) => line.slice(0, 300)).join(' | '),
    'flotilla-agent diagnose --bundle FILE takes all of it along',
  );
}

/** The journal, or the file. */
export async function readLogTail(config: AgentConfig, count: number): Promise<string[] | undefined> {
  const init = await detectInit('/').catch(() => undefined);
  const file = config.log.file ?? (init?.kind === 'systemd' ? undefined : init?.showLog.at(-1));
  const { exitCode, output } = await ask(
    file === undefined
      ? ['journalctl', '--no-pager', '--quiet', `--lines=${count}`, '--output=cat', `--unit=${serviceName}`]
      : ['tail', '-n', String(count), file],
  );
  if (exitCode !== 0) return undefined;
  return output.split('\n').filter(Boolean);
}

async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if (await access(at).then(() => true, () => false)) return at; // prettier-ignore
    if (at === dirname(at)) return at;
  }
}
