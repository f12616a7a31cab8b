import { Type, type Static } from 'typebox';

const tagName = '^[a-z0-9][a-z0-9._-]{0,62}$';
const Tags = Type.Record(Type.String({ pattern: tagName }), Type.String({ maxLength: 256 }));
const Grains = Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ maxLength: 256 }));

export const EnrollmentTokenRequestSchema = Type.Object({
  lifeSeconds: Type.Number({ minimum: 1, maximum: 31_536_000 }),
  maxUses: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  /** GLOB over device ids. */
  idPattern: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  /** The devices wait for `device accept`. */
  pending: Type.Optional(Type.Boolean()),
  tags: Tags,
  /** They may report these grains with these values only. */
  grains: Grains,
  note: Type.Optional(Type.String({ maxLength: 256 })),
  /** How devices reach the enrollment listener; the coordinator's own name where it is left out. */
  host: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
});
export type EnrollmentTokenRequest = Static<typeof EnrollmentTokenRequestSchema>;

export const EnrollmentTokenViewSchema = Type.Object({
  id: Type.String(),
  state: Type.Enum(['active', 'used-up', 'expired', 'revoked']),
  createdAtMs: Type.Number(),
  createdBy: Type.String(),
  expiresAtMs: Type.Number(),
  maxUses: Type.Integer(),
  uses: Type.Integer(),
  lastUsedAtMs: Type.Optional(Type.Number()),
  idPattern: Type.Optional(Type.String()),
  pending: Type.Boolean(),
  tags: Type.Record(Type.String(), Type.String()),
  grains: Type.Record(Type.String(), Type.String()),
  note: Type.Optional(Type.String()),
});
export type EnrollmentTokenView = Static<typeof EnrollmentTokenViewSchema>;

/** `text` is told this once. */
export const EnrollmentTokenMadeSchema = Type.Object({ token: EnrollmentTokenViewSchema, text: Type.String() });
export type EnrollmentTokenMade = Static<typeof EnrollmentTokenMadeSchema>;

export const PreregistrationSchema = Type.Object({
  deviceId: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }),
  hardwareSerial: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  /** SHA-256 of the public key, hex. */
  keySha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
  tags: Tags,
  grains: Grains,
  pending: Type.Optional(Type.Boolean()),
});
export const ManifestImportSchema = Type.Object({
  devices: Type.Array(PreregistrationSchema, { minItems: 1, maxItems: 100_000 }),
});
export type ManifestImport = Static<typeof ManifestImportSchema>;

export const PreregistrationViewSchema = Type.Object({
  ...PreregistrationSchema.properties,
  createdAtMs: Type.Number(),
  createdBy: Type.String(),
  /** When it came. */
  enrolledAtMs: Type.Optional(Type.Number()),
});
export type PreregistrationView = Static<typeof PreregistrationViewSchema>;

export const ManifestImportedSchema = Type.Object({
  added: Type.Array(Type.String()),
  changed: Type.Array(Type.String()),
  unchanged: Type.Array(Type.String()),
});
export type ManifestImported = Static<typeof ManifestImportedSchema>;

export const ManifestRemoveSchema = Type.Object({ ids: Type.Array(Type.String(), { minItems: 1, maxItems: 100_000 }) });
