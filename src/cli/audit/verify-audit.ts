import { join } from 'node:path';
import type { AuditHead } from '../../audit/index.ts';
import type { AuditVerification } from '../../client/contract/index.ts';
import { loadCoordinatorConfig } from '../../config/coordinator-config.ts';
import { findFleetDir } from '../../config/fleet-dir.ts';
import { fleetLayout } from '../../config/fleet-layout.ts';
import { loadTrust, signersOf, type Trust } from './signer.ts';
import { verifyDatabase } from './verify-database.ts';
import { verifyFile } from './verify-file.ts';

interface What {
  file?: string;
  database?: string;
  kept?: AuditHead;
}

/** An export needs no fleet; a database needs one, for whose signatures count in it. */
export async function verifyAudit(
  fleetDirFlag: string | undefined,
  { file, database, kept }: What,
): Promise<AuditVerification> {
  if (file !== undefined) return verifyFile(file, await trustAtHand(fleetDirFlag), kept);
  const layout = fleetLayout(await findFleetDir(fleetDirFlag));
  const { fleetId, data } = await loadCoordinatorConfig(layout.config);
  const trust = await loadTrust(layout);
  const path = database ?? join(data, 'flotilla.db');
  const found = await verifyDatabase({ path, signers: signersOf(trust, fleetId), kept });
  const notes = trust.reason === undefined ? found.notes : [...found.notes, trust.reason];
  return { ...found, notes };
}

async function trustAtHand(fleetDirFlag: string | undefined): Promise<Trust | undefined> {
  let directory: string;
  try {
    directory = await findFleetDir(fleetDirFlag);
  } catch (error) {
    if (fleetDirFlag !== undefined) throw error;
    return undefined;
  }
  return loadTrust(fleetLayout(directory));
}
