import { Type, type Static } from 'typebox';

/** The revocation list of each issuing authority whose key is here, as of now; that of the one that signs now first. */
export const RevocationListsSchema = Type.Array(
  Type.Object({
    /** Id and CN of the authority that signed it. */
    authority: Type.String(),
    issuer: Type.String(),
    /** Larger than that of every list before. */
    number: Type.Integer(),
    thisUpdateMs: Type.Number(),
    nextUpdateMs: Type.Number(),
    revokedCount: Type.Integer(),
    pem: Type.String(),
  }),
);
export type RevocationLists = Static<typeof RevocationListsSchema>;
