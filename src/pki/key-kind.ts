/** Kinds of public keys, as a profile names them. Pure. */
import type { KeyObject } from 'node:crypto';

export const keyKinds = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const;
export type KeyKind = (typeof keyKinds)[number];

const curves: Readonly<Record<string, KeyKind>> = { prime256v1: 'ec-p256', secp384r1: 'ec-p384' };

/** `rsa-3072` stands for RSA of 3072 bits and more. */
export function isOfKind(key: KeyObject, kinds: readonly string[]): boolean {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return kinds.includes(curves[namedCurve] ?? 'another');
  if (key.asymmetricKeyType !== 'rsa') return false;
  return kinds.some((kind) => kind.startsWith('rsa-') && modulusLength >= Number(kind.slice('rsa-'.length)));
}
