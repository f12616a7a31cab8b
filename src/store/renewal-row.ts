export const renewalStates = ['wanted', 'asked', 'requested', 'issued', 'failed'] as const;
export type RenewalState = (typeof renewalStates)[number];
export const renewalCauses = ['due', 'operator', 'rotation'] as const;
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
