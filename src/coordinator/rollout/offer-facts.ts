import type { DeltaOffer, RequestType } from '../../protocol/request.ts';

/**
 * What the registry and the presence say, for the rules of a rollout. Each question asks for no more than a rule goes by:
 * the answers are written down (rollout-journal.ts).
 */
export interface OfferFacts {
  connected(deviceId: string): boolean;
  /** Of its last connect or disconnect; what lies before `atLeastMs` makes no difference. */
  sinceMs(deviceId: string, atLeastMs: number): number;
  /** In the registry; undefined when the device was removed. */
  state(deviceId: string): string | undefined;
  tag(deviceId: string, name: string): string | undefined;
  /** Has it gone back from this bundle before? */
  hasReverted(deviceId: string, bundleUuid: string): boolean;
  /** By its own word. */
  running(deviceId: string): { bootId: string; slot?: string; bundleUuid?: string } | undefined;
  /** What brings a device from one bundle to another with less to fetch, if it was made. */
  delta(bundleUuid: string, fromUuid: string): DeltaOffer | undefined;
  /** Does its agent heed what an offer says of windows, approval and bandwidth? */
  takesConduct(deviceId: string): boolean;
  /** Whose turn it is with the device, of all rollouts that have not finished with it. */
  holder(deviceId: string): string | undefined;
  /** Does its agent take this type of request? Undefined: it has not said yet what it takes. */
  takes(deviceId: string, type: RequestType): boolean | undefined;
  /** The certificate of the session that lives now; undefined where none does, or it is on no record. */
  certificate(deviceId: string): { serial: string; issuedAtMs: number; connectedAtMs: number } | undefined;
  /** Is this agent the one that runs there, by the last update of it? */
  hasAgent(deviceId: string, bundleUuid: string): boolean;
  /** The update of its agent that is under way, by its id. */
  agentUpdate(deviceId: string): string | undefined;
  /** The document of settings that is wanted on it: the digest of what was given, and whether the device has taken it up. */
  config(deviceId: string, name: string): { sha256: string; takenUp: boolean; version: number } | undefined;
}
