import { Type, type Static } from 'typebox';
import { operatorRoles } from '../../role.ts';

export const operatorNamePattern = '^[a-z0-9][a-z0-9._-]{0,62}$';
const Name = Type.String({ pattern: operatorNamePattern });
export const OperatorRoleSchema = Type.Enum(operatorRoles);

export const CredentialSchema = Type.Object({
  /** Serial number of the certificate, or the token's id: neither is secret. */
  id: Type.String(),
  kind: Type.Union([Type.Literal('certificate'), Type.Literal('token')]),
  issuedAtMs: Type.Number(),
  issuedBy: Type.String(),
  notBeforeMs: Type.Number(),
  notAfterMs: Type.Number(),
  /** Of a token that was made for so many requests. */
  usesLeft: Type.Optional(Type.Integer()),
  revokedAtMs: Type.Optional(Type.Number()),
  revokedBy: Type.Optional(Type.String()),
  revocationReason: Type.Optional(Type.String()),
});
export type Credential = Static<typeof CredentialSchema>;

/** A person or a program that uses the API from elsewhere. */
export const OperatorSchema = Type.Object({
  name: Type.String(),
  role: OperatorRoleSchema,
  createdAtMs: Type.Number(),
  createdBy: Type.String(),
  revokedAtMs: Type.Optional(Type.Number()),
  credentials: Type.Array(CredentialSchema),
  /** Connections that are open now. */
  connections: Type.Integer(),
});
export type Operator = Static<typeof OperatorSchema>;

/** Exactly one of `csr` and `token`. */
export const OperatorRequestSchema = Type.Object({
  name: Name,
  /** May be left out for an operator that exists. */
  role: Type.Optional(OperatorRoleSchema),
  /** PEM; the key stays with whoever made it. */
  csr: Type.Optional(Type.String({ maxLength: 16_384 })),
  days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_650 })),
  token: Type.Optional(
    Type.Object(
      {
        expiresSeconds: Type.Number({ minimum: 1, maximum: 2_592_000 }),
        uses: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
      },
      { additionalProperties: false },
    ),
  ),
});
export type OperatorRequest = Static<typeof OperatorRequestSchema>;

export const OperatorAddedSchema = Type.Object({
  operator: OperatorSchema,
  credential: CredentialSchema,
  fleetId: Type.String(),
  /** PEM of the authorities that vouch for the coordinator. */
  authority: Type.String(),
  certificate: Type.Optional(Type.String()),
  /** Said once: only its hash is stored. */
  token: Type.Optional(Type.String()),
});
export type OperatorAdded = Static<typeof OperatorAddedSchema>;

export const OperatorRevokeSchema = Type.Object({
  reason: Type.String({ minLength: 1, maxLength: 256 }),
  /** Only this one of several. */
  credential: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});
export type OperatorRevoke = Static<typeof OperatorRevokeSchema>;

export const OperatorRevokedSchema = Type.Object({
  operator: OperatorSchema,
  /** Ids of the credentials that ended now. */
  revoked: Type.Array(Type.String()),
  cutConnections: Type.Integer(),
});
export type OperatorRevoked = Static<typeof OperatorRevokedSchema>;

/** Who the coordinator takes the caller for. */
export const SelfSchema = Type.Object({
  actor: Type.String(),
  role: OperatorRoleSchema,
  from: Type.String(),
  via: Type.Union([Type.Literal('socket'), Type.Literal('certificate'), Type.Literal('token')]),
  rights: Type.Array(Type.Object({ right: Type.String(), purpose: Type.String(), mine: Type.Boolean() })),
  credential: Type.Optional(CredentialSchema),
});
export type Self = Static<typeof SelfSchema>;
