export interface CertificateFactsRow {
  serial: string;
  fingerprintSha256: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** Id of the authority that signed it; absent in candidates of older databases: the first issuing authority. */
  issuer?: string;
  /** Its subject and names as they stand in it, when a registered authority signed it: the id is made from them. */
  subject?: string;
}

export interface CertificateRow extends CertificateFactsRow {
  issuer: string;
  /** Of `profiles.yaml`; absent: the default one. */
  profile?: string;
  deviceId: string;
  issuedAtMs: number;
  revokedAtMs?: number;
  revocationReason?: string;
  /** The device's certificate that this one is to take over from. */
  renews?: string;
  /** When the device first came in with it. */
  provenAtMs?: number;
  /** The certificate that has taken over from this one, and since when. */
  replacedBy?: string;
  replacedAtMs?: number;
  /** SHA-256 of the public key (SPKI); absent for those that were issued before it was noted, or only shown. */
  keySha256?: string;
  /** Empty when only a connect showed it. */
  pem: string;
}

export const renewalStates = ['wanted', 'asked', 'requested', 'issued', 'failed'] as const;
export type RenewalState = (typeof renewalStates)[number];
export const renewalCauses = ['due', 'operator', 'rollout', 'rotation'] as const;
export type RenewalCause = (typeof renewalCauses)[number];

/** A new certificate that a device is to have, until it is proven. At most one of each device. */
export interface RenewalRow {
  deviceId: string;
  /**
   * `wanted`: the device is to be asked; `asked`; `requested`: its request is here and not yet signed; `issued`: the
   * certificate is on its way, and unproven; `failed`: see `reason`.
   */
  state: RenewalState;
  cause: RenewalCause;
  sinceMs: number;
  /** Times that the device was asked. */
  asks: number;
  /** Of the device's request. */
  renewalId?: string;
  /** DER in base64; while `requested`. */
  csr?: string;
  /** The device has these authorities: see `flotilla.certificate-request`. */
  authoritySha256?: string;
  /** That is to be replaced. */
  renews?: string;
  /** That was issued. */
  serial?: string;
  reason?: string;
}
