import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readSecretFile } from '../../pki/secret-file.ts';
import type { LinkIdentity } from './link-option.ts';

export interface LoadedIdentity {
  keyPem: string;
  certificatePem: string;
  authorityPem: string;
  /** Changes with any of them: tickets of another identity are not shown. */
  digest: string;
}

export async function loadIdentity(source: LinkIdentity | (() => LinkIdentity)): Promise<LoadedIdentity> {
  const identity = typeof source === 'function' ? source() : source;
  const pems = 'keyPem' in identity ? identity : await readIdentityFiles(identity);
  const { keyPem, certificatePem, authorityPem } = pems;
  const digest = createHash('sha256')
    .update(JSON.stringify([keyPem, certificatePem, authorityPem]))
    .digest('hex');
  return { keyPem, certificatePem, authorityPem, digest };
}

async function readIdentityFiles(files: Extract<LinkIdentity, { keyFile: string }>) {
  const [key, certificatePem, authorityPem] = await Promise.all([
    readSecretFile(files.keyFile),
    readFile(files.certificateFile, 'utf8'),
    readFile(files.authorityFile, 'utf8'),
  ]);
  return { keyPem: key.toString('utf8'), certificatePem, authorityPem };
}
