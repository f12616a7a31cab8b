import { Type, type Static } from 'typebox';

/** A bundle published under product/version/channel. Publishing: PUT the `.fw` as the body, `?channel=`. */
export const ReleaseSchema = Type.Object({
  id: Type.String(), // product/version/channel
  product: Type.String(),
  version: Type.String(),
  channel: Type.String(),
  platform: Type.Optional(Type.String()),
  architecture: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  bundleUuid: Type.String(),
  sha256: Type.String(),
  sizeBytes: Type.Integer(),
  partBytes: Type.Integer(),
  resources: Type.Array(Type.Object({ name: Type.String(), lengthBytes: Type.Integer(), blake2b256: Type.String() })),
  /** By what devices run: the size of the delta bundle that was made, or why there is none. */
  deltas: Type.Optional(
    Type.Array(
      Type.Object({
        fromUuid: Type.String(),
        fromVersion: Type.Optional(Type.String()),
        sizeBytes: Type.Optional(Type.Integer()),
        reason: Type.Optional(Type.String()),
      }),
    ),
  ),
  publishedAtMs: Type.Number(),
  publishedBy: Type.String(),
});
export type Release = Static<typeof ReleaseSchema>;
