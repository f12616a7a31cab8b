import { stat } from 'node:fs/promises';
import { type CoordinatorConfig, loadCoordinatorConfig } from '../../config/coordinator-config.ts';
import { findFleetDir } from '../../config/fleet-dir.ts';
import { type FleetLayout, fleetLayout } from '../../config/fleet-layout.ts';
import { CoordinatorClient } from '../../client/coordinator-client.ts';
import { HttpConnection } from '../../client/http-connection.ts';
import { FlotillaError } from '../../error.ts';
import { loadFleetIdentity } from '../../pki/fleet-identity.ts';
import { checkCoordinator } from './check-coordinator.ts';
import { checkCertificates, checkDisk, checkRootKey, checkSecrets } from './check-fleet.ts';
import { checkClock, checkFwup, checkNode } from './check-machine.ts';
import { type Finding, bad, ok } from './finding.ts';

/** All findings, in the order in which they should be mended. Never throws for what it finds. */
export async function examine(fleetDirFlag: string | undefined, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = [checkNode(), await checkFwup()];
  let directory: string;
  try {
    directory = await findFleetDir(fleetDirFlag);
  } catch (error) {
    return [...findings, await checkClock(nowMs, 0), fromError('fleet', error, 'flotilla init')];
  }
  const layout = fleetLayout(directory);
  findings.push(await checkClock(nowMs, (await stat(layout.config)).mtimeMs));
  let config: CoordinatorConfig;
  try {
    config = await loadCoordinatorConfig(layout.config);
  } catch (error) {
    return [...findings, fromError('fleet', error, `mend ${layout.config}`)];
  }
  findings.push(ok('fleet', `${config.fleetId} in ${directory}`));
  findings.push(...(await checkSecrets(layout)), await checkRootKey(layout));
  findings.push(...(await checkCertificates(layout, nowMs)));
  // What is bad by itself is not told twice.
  if (findings.every(({ name, verdict }) => verdict !== 'bad' || !['keys', 'certificates'].includes(name)))
    findings.push(await checkIdentity(layout, config));
  findings.push(await checkDisk(config));
  findings.push(...(await checkCoordinator(new CoordinatorClient(new HttpConnection(config.socket)), config)));
  return findings;
}

/** The same that the coordinator checks at its start. */
async function checkIdentity(layout: FleetLayout, { fleetId }: CoordinatorConfig): Promise<Finding> {
  try {
    await loadFleetIdentity(layout, fleetId);
    return ok('identity', 'keys, certificates and coordinator.yaml belong together');
  } catch (error) {
    return fromError('identity', error, `restore ${layout.pki} from your backup`);
  }
}

function fromError(name: string, error: unknown, mend: string): Finding {
  if (!(error instanceof FlotillaError)) throw error;
  const { position, seen, suggestion } = error.detail;
  const place = position === undefined ? '' : `${position.file ?? ''}:${position.line}:${position.column}: `;
  return bad(name, `${place}${error.message}${seen === undefined ? '' : ` (${seen})`}`, suggestion ?? mend);
}
