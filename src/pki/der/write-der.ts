/** What certificates and revocation lists need beside ../der.ts. */
import { element } from '../der.ts';
import { DerTag } from './read-der.ts';

export function writeTrue(): Buffer {
  return element(DerTag.boolean, Buffer.of(0xff));
}

/** UTCTime through 2049 and GeneralizedTime beyond, in whole seconds (RFC 5280, 4.1.2.5). */
export function writeTime(timeMs: number): Buffer {
  const date = new Date(timeMs);
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const utc = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
  return utc
    ? element(DerTag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : element(DerTag.generalizedTime, Buffer.from(digits, 'latin1'));
}
