import type { RevocationListReply } from '../../client/contract/revocation-list.ts';
import type { ServiceContext } from './context.ts';

/** For `cert crl`: the list, and what stands in it. */
export async function showRevocationList({ revocationList }: ServiceContext): Promise<RevocationListReply> {
  const { der: _der, etag: _etag, ...shown } = await revocationList.current();
  return shown;
}

export async function revocationListBytes(
  { revocationList }: ServiceContext,
  form: 'der' | 'pem',
): Promise<Uint8Array> {
  const list = await revocationList.current();
  return form === 'der' ? list.der : Buffer.from(list.pem);
}
