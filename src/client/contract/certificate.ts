import { Type, type Static } from 'typebox';

export const CertificateSchema = Type.Object({
  serial: Type.String(), // lower-case hex
  deviceId: Type.String(),
  fingerprintSha256: Type.String(),
  notBeforeMs: Type.Number(),
  notAfterMs: Type.Number(),
  issuedAtMs: Type.Number(),
  /** Id of the authority: `ca list`. */
  issuer: Type.String(),
  profile: Type.Optional(Type.String()),
  /** Of a registered authority: the names in it. */
  subject: Type.Optional(Type.String()),
  revokedAtMs: Type.Optional(Type.Number()),
  revocationReason: Type.Optional(Type.String()),
  /** The certificate that this one takes over from. */
  renews: Type.Optional(Type.String()),
  /** When the device first came in with it. */
  provenAtMs: Type.Optional(Type.Number()),
  /** The one that has taken over, and since when. */
  replacedBy: Type.Optional(Type.String()),
  replacedAtMs: Type.Optional(Type.Number()),
  /** Of its public key (SPKI). */
  keySha256: Type.Optional(Type.String()),
  pem: Type.String(),
});
export type Certificate = Static<typeof CertificateSchema>;

/** The device made its key; only the CSR comes here. Signing also accepts the device unless `pending`. */
export const SignRequestSchema = Type.Object({
  csr: Type.String({ maxLength: 16_384 }),
  deviceId: Type.Optional(Type.String()), // must equal the CSR's CN when both are given
  days: Type.Optional(Type.Integer({ minimum: 1, maximum: 36_500 })),
  pending: Type.Optional(Type.Boolean()),
  /** Of pki/profiles.yaml; `device` when left out. */
  profile: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
  /** Names beside its own, as the profile allows: `DNS:…`, `IP:…`. */
  names: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 32 })),
});
export type SignRequest = Static<typeof SignRequestSchema>;
export const SignedSchema = Type.Object({
  certificate: CertificateSchema,
  /** PEM of the authorities that a device must trust (issuing, root). */
  authority: Type.String(),
  fleetId: Type.String(),
});
export type Signed = Static<typeof SignedSchema>;

export const RevokeRequestSchema = Type.Object({
  /** A serial number (hex) or a device id (all its certificates). */
  subject: Type.String({ minLength: 1, maxLength: 128 }),
  reason: Type.String({ minLength: 1, maxLength: 256 }),
});
export type RevokeRequest = Static<typeof RevokeRequestSchema>;
export type Revoked = { revoked: Certificate[]; cutConnections: number };
