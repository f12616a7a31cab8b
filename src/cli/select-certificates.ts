/** Which certificates of the inventory `cert list` shows. Pure: the time is an argument. */
import type { Certificate } from '../client/contract/index.ts';

export interface CertificateFilter {
  /** Neither expired nor revoked, and at an end within this time. */
  expiringWithinMs?: number | undefined;
  /** Ended, and not revoked before. */
  expired?: boolean | undefined;
  revoked?: boolean | undefined;
}

/** Several filters add up: what one of them lets through is shown. The one that ends first comes first. */
export function selectCertificates(
  certificates: readonly Certificate[],
  { expiringWithinMs, expired, revoked }: CertificateFilter,
  nowMs: number,
): Certificate[] {
  const all = expiringWithinMs === undefined && expired !== true && revoked !== true;
  return certificates
    .filter(({ notAfterMs, revokedAtMs }) => {
      if (all) return true;
      if (revokedAtMs !== undefined) return revoked === true;
      if (notAfterMs < nowMs) return expired === true;
      return expiringWithinMs !== undefined && notAfterMs - nowMs <= expiringWithinMs;
    })
    .toSorted((a, b) => a.notAfterMs - b.notAfterMs || (a.serial < b.serial ? -1 : 1));
}
