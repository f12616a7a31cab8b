import { join } from 'node:path';
import { coordinatorConfigName } from './fleet-dir.ts';

/** Where everything of a fleet stands, as absolute paths below its folder. Only coordinator.yaml and pki/profiles.yaml are edited by hand. */
export interface FleetLayout {
  config: string;
  pki: string;
  /** What certificates may look like; edited by hand. */
  profiles: string;
  rootCertificate: string;
  /** Encrypted by the passphrase; wanted only to make a new issuing authority, and better kept elsewhere. */
  rootKeyEncrypted: string;
  /** Instead of the encrypted one, when the fleet was made without a passphrase. */
  rootKey: string;
  issuingCertificate: string;
  issuingKey: string;
  coordinatorCertificate: string;
  coordinatorKey: string;
  operatorCertificate: string;
  operatorKey: string;
  /** Issuing and root certificate: what a device trusts, and what verifies a device. */
  authorityBundle: string;
  keys: string;
  /** Ed25519, fwup's format; `.pub` goes into every device. */
  firmwarePrivateKey: string;
  firmwarePublicKey: string;
  data: string;
  run: string;
}

export function fleetLayout(directory: string): FleetLayout {
  const pki = join(directory, 'pki');
  const keys = join(directory, 'keys');
  return {
    config: join(directory, coordinatorConfigName),
    pki,
    profiles: join(pki, 'profiles.yaml'),
    rootCertificate: join(pki, 'root.crt'),
    rootKeyEncrypted: join(pki, 'root.key.enc'),
    rootKey: join(pki, 'root.key'),
    issuingCertificate: join(pki, 'issuing.crt'),
    issuingKey: join(pki, 'issuing.key'),
    coordinatorCertificate: join(pki, 'coordinator.crt'),
    coordinatorKey: join(pki, 'coordinator.key'),
    operatorCertificate: join(pki, 'operator-admin.crt'),
    operatorKey: join(pki, 'operator-admin.key'),
    authorityBundle: join(pki, 'authority.crt'),
    keys,
    firmwarePrivateKey: join(keys, 'firmware.priv'),
    firmwarePublicKey: join(keys, 'firmware.pub'),
    data: join(directory, 'data'),
    run: join(directory, 'run'),
  };
}
