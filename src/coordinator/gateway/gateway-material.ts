import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { TrustedAuthority } from '../../pki/peer-reader.ts';
import { splitPem } from '../../pki/split-pem.ts';
import { readSecretFile } from '../../pki/secret-file.ts';
import type { GatewayMaterial, GatewayPoolOption } from './pool-option.ts';
import { startError } from './start-error.ts';

/** Read once, by the core: a gateway that starts while the files are exchanged must not see half of each pair. */
export async function readMaterial({ tls, authorities }: GatewayPoolOption): Promise<GatewayMaterial> {
  try {
    const [key, certificatePem, bundle] = await Promise.all([
      readSecretFile(tls.keyFile),
      readFile(tls.certificateFile, 'utf8'),
      readFile(tls.authorityFile, 'utf8'),
    ]);
    const { roots, issuing } = partBundle(bundle);
    const rootPem = roots.join('');
    return { keyPem: key.toString('utf8'), certificatePem, rootPem, authorities: authorities ?? issuing };
  } catch (error) {
    throw startError(error);
  }
}

/** The self-signed ones of a bundle, and the others, numbered in their order. */
function partBundle(pem: string): { roots: string[]; issuing: TrustedAuthority[] } {
  const all = splitPem(pem).map((text) => ({ text, certificate: new X509Certificate(text) }));
  const isRoot = ({ certificate }: { certificate: X509Certificate }): boolean => certificate.checkIssued(certificate);
  return {
    roots: all.filter(isRoot).map(({ text }) => text),
    issuing: all.filter((one) => !isRoot(one)).map(({ text }, index) => ({ id: `issuing-${index + 1}`, pem: text })),
  };
}
