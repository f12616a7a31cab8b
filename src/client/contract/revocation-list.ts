import { Type, type Static } from 'typebox';

/** The revocation list of the fleet's issuing authority, as of now. */
export const RevocationListReplySchema = Type.Object({
  /** CN of the authority that signed it. */
  issuer: Type.String(),
  /** Larger than that of every list before. */
  number: Type.Integer(),
  thisUpdateMs: Type.Number(),
  nextUpdateMs: Type.Number(),
  revokedCount: Type.Integer(),
  pem: Type.String(),
});
export type RevocationListReply = Static<typeof RevocationListReplySchema>;
