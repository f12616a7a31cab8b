import { Type, type Static } from 'typebox';

const NameConstraintSchema = Type.Object({
  permittedDns: Type.Array(Type.String()),
  permittedUri: Type.Array(Type.String()),
});

export const RegistrationSchema = Type.Object({
  profile: Type.String(),
  deviceId: Type.String(),
  arrival: Type.Union([Type.Literal('pending'), Type.Literal('accepted')]),
  tags: Type.Record(Type.String(), Type.String()),
  keyKinds: Type.Array(Type.String()),
  renewable: Type.Boolean(),
  maxValidityDays: Type.Optional(Type.Number()),
});

export const AuthoritySchema = Type.Object({
  id: Type.String(),
  kind: Type.Union([Type.Literal('issuing'), Type.Literal('registered')]),
  state: Type.Union([
    Type.Literal('requested'), // its key is made, its certificate is not
    Type.Literal('active'), // signs
    Type.Literal('overlap'), // signs no more, is trusted until `retireAtMs`
    Type.Literal('retired'),
    Type.Literal('trusted'), // registered
    Type.Literal('removed'),
  ]),
  /** Absent while requested, like the next three. */
  subject: Type.Optional(Type.String()),
  fingerprintSha256: Type.Optional(Type.String()),
  publicKey: Type.Optional(Type.String()), // `EC P-256`, `RSA 2048`
  notAfterMs: Type.Optional(Type.Number()),
  nameConstraint: Type.Optional(NameConstraintSchema),
  createdAtMs: Type.Number(),
  activeAtMs: Type.Optional(Type.Number()),
  retireAtMs: Type.Optional(Type.Number()),
  endedAtMs: Type.Optional(Type.Number()),
  compromised: Type.Optional(Type.Boolean()),
  /** Certificates on record, and those of them that are neither expired nor revoked. */
  issued: Type.Number(),
  valid: Type.Number(),
  /** Devices whose present certificate it signed. */
  devices: Type.Number(),
  registration: Type.Optional(RegistrationSchema),
});
export type AuthorityView = Static<typeof AuthoritySchema>;

export const AuthorityOverviewSchema = Type.Object({
  fleetId: Type.String(),
  root: Type.Object({
    subject: Type.String(),
    fingerprintSha256: Type.String(),
    /** On the coordinator's machine: encrypted, plain, or not there at all. */
    key: Type.Union([Type.Literal('encrypted'), Type.Literal('plain'), Type.Literal('detached')]),
  }),
  coordinator: Type.Object({
    serial: Type.String(),
    fingerprintSha256: Type.String(),
    issuer: Type.String(),
    names: Type.Array(Type.String()),
  }),
  authorities: Type.Array(AuthoritySchema),
});
export type AuthorityOverview = Static<typeof AuthorityOverviewSchema>;

export const AuthorityDetailSchema = Type.Object({
  authority: AuthoritySchema,
  pem: Type.String(),
  deviceIds: Type.Array(Type.String()),
});
export type AuthorityDetail = Static<typeof AuthorityDetailSchema>;

export const RotationRequestSchema = Type.Object({
  /** How long the authority before stays trusted. */
  overlapSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 * 365 * 86_400 })),
  /** Of the kind issuing. */
  profile: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
});
export type RotationRequest = Static<typeof RotationRequestSchema>;
export const RotationSchema = Type.Object({
  id: Type.String(),
  fleetId: Type.String(),
  /** PEM, for the root to sign. */
  csr: Type.String(),
  /** Of the root that has to sign it. */
  rootFingerprintSha256: Type.String(),
});
export type Rotation = Static<typeof RotationSchema>;

export const RotationCertificateSchema = Type.Object({
  certificate: Type.String({ minLength: 1, maxLength: 65_536 }),
});
export const RotatedSchema = Type.Object({
  authority: AuthoritySchema,
  /** The one before. */
  before: Type.Optional(AuthoritySchema),
});
export type Rotated = Static<typeof RotatedSchema>;

export const RetireRequestSchema = Type.Object({
  /** Its key is known to somebody else: no certificate of it may even ask for a new one. */
  compromised: Type.Optional(Type.Boolean()),
});
export type RetireRequest = Static<typeof RetireRequestSchema>;

export const EndedAuthoritySchema = Type.Object({
  authority: AuthoritySchema,
  cutConnections: Type.Number(),
});
export type EndedAuthority = Static<typeof EndedAuthoritySchema>;

export const ChallengeSchema = Type.Object({ nonce: Type.String(), expiresAtMs: Type.Number() });
export type Challenge = Static<typeof ChallengeSchema>;

export const RegisterAuthoritySchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 32 }),
  profile: Type.String({ minLength: 1, maxLength: 32 }),
  /** PEM: the authority first, then those above it up to one that is signed by itself. */
  certificate: Type.String({ minLength: 1, maxLength: 262_144 }),
  /**
   * That its owner takes part: a certificate (PEM) with the nonce as CN that it signed, or its signature over the nonce
   * (base64, SHA-256). Not needed to give an authority that is trusted another profile.
   */
  proof: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536 })),
});
export type RegisterAuthority = Static<typeof RegisterAuthoritySchema>;
