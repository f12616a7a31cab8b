import { stat } from 'node:fs/promises';
import { type CoordinatorConfig, loadCoordinatorConfig } from '../../config/coordinator-config.ts';
import { type FleetLayout, fleetLayout } from '../../config/fleet-layout.ts';
import type { CoordinatorStatus } from '../../client/contract/index.ts';
import { CoordinatorClient } from '../../client/coordinator-client.ts';
import { HttpConnection } from '../../client/http-connection.ts';
import { loadProfiles } from '../../config/profile-file.ts';
import { FlotillaError } from '../../error.ts';
import { loadFleetIdentity } from '../../pki/fleet-identity.ts';
import { findTarget, type Target, type TargetFlags } from '../find-endpoint.ts';
import { openClient } from '../open-client.ts';
import { checkCoordinator, judgeStatus } from './check-coordinator.ts';
import { checkDescriptors } from './check-descriptor.ts';
import { checkDevices } from './check-device.ts';
import { checkFolders, checkRemains, checkTicketKey } from './check-file.ts';
import { checkCertificates, checkDisk, checkRootKey, checkSecrets } from './check-fleet.ts';
import { checkStore, judgeAudit } from './check-store.ts';
import { checkClock, checkFwup, checkNode } from './check-machine.ts';
import { type Finding, fail, ok } from './finding.ts';

/** All findings, in the order in which they should be mended. Never throws for what it finds. */
export async function examine(target: TargetFlags, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = [checkNode(), await checkFwup()];
  let found: Target;
  try {
    found = await findTarget(target);
  } catch (error) {
    return [...findings, await checkClock(nowMs, 0), fromError('fleet', error, 'flotilla init')];
  }
  if (found.kind === 'fleet') return [...findings, ...(await examineFleet(found.directory, nowMs))];
  findings.push(await checkClock(nowMs, 0));
  return [...findings, ...(await examineElsewhere(target, nowMs))];
}

async function examineFleet(directory: string, nowMs: number): Promise<Finding[]> {
  const layout = fleetLayout(directory);
  const findings = [await checkClock(nowMs, (await stat(layout.config)).mtimeMs)];
  let config: CoordinatorConfig;
  try {
    config = await loadCoordinatorConfig(layout.config);
  } catch (error) {
    return [...findings, fromError('fleet', error, `mend ${layout.config}`)];
  }
  findings.push(ok('fleet', `${config.fleetId} in ${directory}`));
  findings.push(...(await checkSecrets(layout)), await checkRootKey(layout));
  findings.push(...(await checkFolders(layout, config)), await checkTicketKey(config, nowMs));
  findings.push(...(await checkCertificates(layout, nowMs)));
  // What has failed by itself is not told twice.
  if (findings.every(({ id, verdict }) => verdict !== 'fail' || !['keys', 'certificates'].includes(id)))
    findings.push(await checkIdentity(layout, config));
  findings.push(await checkProfiles(config));
  findings.push(await checkDisk(config), ...(await checkStore(layout, config)));
  const client = new CoordinatorClient(new HttpConnection(config.socket));
  const { findings: told, status } = await checkCoordinator(client, config);
  findings.push(...told, await checkRemains(config, status !== undefined));
  if (status !== undefined) {
    findings.push(await checkDescriptors(status), ...(await checkDevices(client, status, nowMs)));
  }
  return [...findings, backupAdvice(layout, config)];
}

/** Of a coordinator on another machine: what its API tells. */
async function examineElsewhere(target: TargetFlags, nowMs: number): Promise<Finding[]> {
  let client: CoordinatorClient;
  let status: CoordinatorStatus;
  try {
    client = await openClient(target);
    status = await client.status();
  } catch (error) {
    return [fromError('coordinator', error, 'flotilla context show')];
  }
  const findings = [judgeStatus(status), ...(await checkDevices(client, status, nowMs))];
  try {
    for await (const found of client.verifyAudit({})) findings.push(judgeAudit(found));
  } catch (error) {
    // Only an admin may read it; that is no fault of the fleet.
    if (!(error instanceof FlotillaError) || error.fault !== 'forbidden') findings.push(fromError('audit', error, ''));
  }
  return findings;
}

function backupAdvice(layout: FleetLayout, { data }: CoordinatorConfig): Finding {
  const seen = `keep ${layout.pki}, ${layout.keys}, ${layout.config} and ${data} elsewhere, all of one moment`;
  const mend = `sqlite3 ${data}/flotilla.db ".backup 'flotilla.db'" copies the database while it is used`;
  return { ...ok('backup', seen), mend };
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

async function checkProfiles({ certificates }: CoordinatorConfig): Promise<Finding> {
  try {
    const profiles = await loadProfiles(certificates.profiles);
    return ok('profiles', Object.keys(profiles).join(', '));
  } catch (error) {
    return fromError('profiles', error, `mend ${certificates.profiles}`);
  }
}

function fromError(name: string, error: unknown, mend: string): Finding {
  if (!(error instanceof FlotillaError)) throw error;
  const { position, seen, suggestion } = error.detail;
  const place = position === undefined ? '' : `${position.file ?? ''}:${position.line}:${position.column}: `;
  return fail(name, `${place}${error.message}${seen === undefined ? '' : ` (${seen})`}`, suggestion ?? mend);
}
