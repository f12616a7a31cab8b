import type { TlsMaterial } from '../../transport/tls-listener.ts';
import type { GatewayMaterial } from './pool-option.ts';

/** A chain of ours ends at the root; a registered authority brings what stands above it. */
export function listenerMaterial({ keyPem, certificatePem, rootPem, authorities }: GatewayMaterial): TlsMaterial {
  const authorityPem = authorities.map(({ pem }) => pem).join('') + rootPem;
  const hasForeignAuthority = authorities.some(({ registration }) => registration !== undefined);
  return { keyPem, certificatePem, authorityPem, hasForeignAuthority };
}
