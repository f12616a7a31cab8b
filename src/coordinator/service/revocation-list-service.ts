import type { RevocationLists } from '../../client/contract/revocation-list.ts';
import type { ServiceContext } from './context.ts';

/** For `cert crl`: the lists, and what stands in them. */
export async function showRevocationLists({ revocationList }: ServiceContext): Promise<RevocationLists> {
  const { lists } = await revocationList.current();
  return lists.map(({ der: _der, ...shown }) => shown);
}

/** DER holds one list: that of the authority that signs now. PEM holds all. */
export async function revocationListBytes(
  { revocationList }: ServiceContext,
  form: 'der' | 'pem',
): Promise<Uint8Array> {
  const { lists } = await revocationList.current();
  return form === 'der' ? lists[0]!.der : Buffer.from(lists.map(({ pem }) => pem).join(''));
}
