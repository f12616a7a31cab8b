import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parsePrivateKey } from '../../pki/parse-private-key.ts';
import { signUpdateReceipt, type UpdateReceipt } from '../../pki/update-receipt.ts';
import type { LinkIdentity } from '../link/link-option.ts';

/** With the key that the link is made with at this moment. Throws where that can't be read. */
export function signReceipt(body: string, identity: LinkIdentity): UpdateReceipt {
  const { keyPem, certificatePem } =
    'keyPem' in identity
      ? identity
      : {
          keyPem: readFileSync(identity.keyFile, 'utf8'),
          certificatePem: readFileSync(identity.certificateFile, 'utf8'),
        };
  return signUpdateReceipt(body, parsePrivateKey(keyPem, 'device.key'), new X509Certificate(certificatePem));
}
