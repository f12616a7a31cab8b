import { loadAgentConfig } from '../../config/load-agent-config.ts';
import { FlotillaError, type ErrorDetail } from '../../error.ts';
import { readDeviceStatus, type DeviceStatus } from '../status/device-status.ts';
import {
  checkCertificate,
  checkClock,
  checkDisk,
  checkLink,
  checkLog,
  checkPermissions,
  checkService,
} from './check-machine.ts';
import { checkJobPolicy } from './check-job-policy.ts';
import { checkNetwork } from './check-network.ts';
import { bad, ok, type Finding } from './finding.ts';

export interface Diagnosis {
  /** False when anything is bad; warnings do not count. */
  ok: boolean;
  findings: Finding[];
  /** Absent when the configuration can't be read. */
  status?: DeviceStatus;
}

/** Looks at all that the link stands on, changes nothing, and says of each thing how to mend it. */
export async function diagnose(configFile: string, version: string, nowMs: number): Promise<Diagnosis> {
  const findings: Finding[] = [];
  const result = (status?: DeviceStatus): Diagnosis => ({
    ok: findings.every(({ verdict }) => verdict !== 'bad'),
    findings,
    ...(status === undefined ? {} : { status }),
  });
  const config = await loadAgentConfig(configFile).catch((error: unknown) => {
    const { message, detail } =
      error instanceof FlotillaError ? error : { message: String(error), detail: {} as ErrorDetail };
    const place = detail.position === undefined ? '' : ` (line ${detail.position.line})`;
    const seen = detail.seen === undefined ? '' : `: ${detail.seen}`;
    findings.push(bad('configuration', `${message}${seen}${place}`, detail.suggestion ?? `mend ${configFile}`));
  });
  if (!config) return result();
  findings.push(ok('configuration', configFile));
  const status = await readDeviceStatus(configFile, version);
  findings.push(await checkClock(nowMs, status));
  findings.push(await checkDisk(config));
  findings.push(await checkPermissions(config));
  findings.push(await checkJobPolicy(config));
  findings.push(await checkCertificate(config, nowMs));
  findings.push(...(await checkNetwork(config)));
  findings.push(checkService(status), checkLink(status), await checkLog(config));
  return result(status);
}
