import { Type, type Static } from 'typebox';

/** A device is to make a new key and get a certificate for it. */
export const RenewRequestSchema = Type.Object({ selector: Type.String({ minLength: 1, maxLength: 10_240 }) });
export type RenewRequest = Static<typeof RenewRequestSchema>;

/** What is under way; a renewal that is proven is none any more, the proof stands on the certificate. */
export const RenewalSchema = Type.Object({
  deviceId: Type.String(),
  /** `wanted`, `asked`, `requested` (being signed), `issued` (not proven yet) or `failed`. */
  state: Type.Enum(['wanted', 'asked', 'requested', 'issued', 'failed']),
  /** The device by itself (`due`), an operator, a rollout, or the rotation of an authority. */
  cause: Type.Enum(['due', 'operator', 'rollout', 'rotation']),
  sinceMs: Type.Number(),
  /** Times that the device was asked. */
  asks: Type.Integer(),
  connected: Type.Boolean(),
  /** The certificate that it has now. */
  renews: Type.Optional(Type.String()),
  /** The new one, once it is issued. */
  serial: Type.Optional(Type.String()),
  /** Why it failed, or what it waits for. */
  reason: Type.Optional(Type.String()),
});
export type Renewal = Static<typeof RenewalSchema>;
