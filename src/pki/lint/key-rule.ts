/** Rules about public keys. */
import type { KeyObject } from 'node:crypto';
import { describePublicKey } from '../public-key.ts';
import { type Told, told } from './finding.ts';

/** Below it are less than 112 bits of strength (NIST SP 800-131A). */
const minRsaBits = 2048;

/** For certificates, requests and keys alike. */
export function lintPublicKey(key: KeyObject | undefined): Told[] {
  const mend = 'make a new key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256';
  if (key === undefined)
    return [told('error', 'key-unknown', 'a public key that can not be read', 'nobody can check what it signs', mend)];
  const kind = describePublicKey(key);
  const { modulusLength, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss') {
    const found: Told[] = [];
    if ((modulusLength ?? 0) < minRsaBits) {
      found.push(
        told(
          'error',
          'key-weak',
          kind,
          `RSA below ${minRsaBits} bits is within reach of a state, 512 of anybody`,
          mend,
        ),
      );
    }
    if (publicExponent < 65_537n || publicExponent % 2n === 0n) {
      found.push(
        told(
          'error',
          'exponent-small',
          `${kind}, exponent ${publicExponent}`,
          'signatures with small exponents were forged again and again where padding is checked carelessly',
          mend,
        ),
      );
    }
    return found;
  }
  if (key.asymmetricKeyType === 'ec' && (namedCurve === 'prime256v1' || namedCurve === 'secp384r1')) return [];
  const seen = `${kind}${namedCurve === undefined ? '' : ` (${namedCurve})`}`;
  return [
    told(
      'error',
      'key-not-accepted',
      seen,
      'the fleet takes EC P-256, EC P-384 and RSA, so that every device can check it',
      mend,
    ),
  ];
}
