/** The fleet's two authorities: root (offline-able, passphrase) and issuing (0600 beside the coordinator). */
import type { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { type Authority, signAuthorityCertificate } from './issue.ts';
import { createKey, encryptPrivateKey, formatPrivateKey } from './key.ts';
import { loadCertificate, loadKeyOf } from './load-identity.ts';
import { issuingCommonName, parseAuthorityName, rootCommonName, validateFleetId } from './profile.ts';
import { writeSecretFile } from './secret-file.ts';

/** A new root authority for the fleet, 1970 to 9999. It signs issuing authorities and nothing else. */
export async function createRootAuthority(option: { fleetId: string }): Promise<Authority> {
  validateFleetId(option.fleetId);
  const privateKey = await createKey();
  const commonName = rootCommonName(option.fleetId);
  const certificatePem = await signAuthorityCertificate({
    signer: { commonName, key: privateKey },
    commonName,
    key: privateKey,
    pathLength: 1,
  });
  return { fleetId: option.fleetId, commonName, certificatePem, privateKey };
}

/** A new issuing authority below the root, 1970 to 9999. It signs coordinators, operators and devices. */
export async function createIssuingAuthority(root: Authority): Promise<Authority> {
  const privateKey = await createKey();
  const commonName = issuingCommonName(root.fleetId);
  const certificatePem = await signAuthorityCertificate({
    signer: { commonName: root.commonName, key: root.privateKey },
    commonName,
    key: privateKey,
    pathLength: 0,
  });
  return { fleetId: root.fleetId, commonName, certificatePem, privateKey };
}

export interface AuthorityFile {
  certificateFile: string;
  keyFile: string;
}

/** Writes the private key with mode 0600, encrypted when a passphrase is given. Never replaces a file. */
export async function saveAuthorityKey(authority: Authority, keyFile: string, passphrase?: string): Promise<void> {
  const pem =
    passphrase === undefined
      ? formatPrivateKey(authority.privateKey)
      : await encryptPrivateKey(authority.privateKey, passphrase);
  await writeSecretFile(keyFile, pem);
}

/** The issuing authority from its files. Refuses a key file that others may read, and a key of another certificate. */
export function loadIssuingAuthority(files: AuthorityFile): Promise<Authority> {
  return loadAuthority(files, 'issuing');
}

/** The root authority from its files; the passphrase is needed when the key is encrypted. */
export function loadRootAuthority(files: AuthorityFile & { passphrase?: string }): Promise<Authority> {
  return loadAuthority(files, 'root', files.passphrase);
}

async function loadAuthority(files: AuthorityFile, kind: 'root' | 'issuing', passphrase?: string): Promise<Authority> {
  const { certificatePem, certificate } = await loadCertificate(files.certificateFile);
  const { fleetId, commonName } = readAuthorityName(certificate, kind, files.certificateFile);
  const privateKey = await loadKeyOf(certificate, { ...files, passphrase });
  return { fleetId, commonName, certificatePem, privateKey };
}

function readAuthorityName(
  certificate: X509Certificate,
  kind: 'root' | 'issuing',
  source: string,
): { fleetId: string; commonName: string } {
  const name = parseAuthorityName(certificate.subject);
  if (certificate.ca && name?.kind === kind) {
    return { fleetId: name.fleetId, commonName: certificate.subject.slice('CN='.length) };
  }
  throw new FlotillaError('usage', 'pki-not-an-authority', `${source} is no ${kind} authority`, {
    seen: `subject ${certificate.subject.replaceAll('\n', ', ').slice(0, 120)}`,
    expected: `a certificate of CN "<fleet> ${kind} authority"`,
  });
}
