/** The authorities of a fleet in real files, without the rest of `init`. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fleetLayout, type FleetLayout } from '../../src/config/index.ts';
import { AuthorityKeeper } from '../../src/coordinator/authority/index.ts';
import { createLog } from '../../src/log.ts';
import {
  createIssuingAuthority,
  createRootAuthority,
  formatPrivateKey,
  issueCoordinatorCertificate,
  loadFleetIdentity,
  saveAuthorityKey,
} from '../../src/pki/index.ts';

/** Made when it is not there: a second start finds what the first has left. */
export async function preparePki(
  directory: string,
  fleetId: string,
): Promise<{ layout: FleetLayout; keeper: AuthorityKeeper }> {
  const layout = fleetLayout(directory);
  if (!existsSync(layout.pki)) {
    await mkdir(layout.pki, { recursive: true });
    const root = await createRootAuthority({ fleetId });
    const issuing = await createIssuingAuthority(root);
    const own = await issueCoordinatorCertificate(issuing, { fleetId, hosts: ['127.0.0.1'] });
    await saveAuthorityKey(root, layout.rootKey);
    await saveAuthorityKey(issuing, layout.issuingKey);
    await writeFile(layout.rootCertificate, root.certificatePem);
    await writeFile(layout.issuingCertificate, issuing.certificatePem);
    await writeFile(layout.authorityBundle, issuing.certificatePem + root.certificatePem);
    await writeFile(layout.coordinatorKey, formatPrivateKey(own.privateKey), { mode: 0o600 });
    await writeFile(layout.coordinatorCertificate, own.certificatePem);
  }
  const keeper = new AuthorityKeeper({
    fleetId,
    files: layout,
    identity: await loadFleetIdentity(layout, fleetId),
    readHosts: async () => ['127.0.0.1'],
    log: createLog({ name: 'test', level: 'silent' }),
  });
  return { layout, keeper };
}
