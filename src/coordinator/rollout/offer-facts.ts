import type { DeltaOffer, RequestType } from '../../protocol/request.ts';

/** What the registry and the presence say, for the rules of a rollout. */
export interface OfferFacts {
  connected(deviceId: string): boolean;
  /** What the registry holds; undefined when the device was removed. */
  device(deviceId: string):
    | {
        state: string;
        running?: { bootId: string; slot?: string; bundleUuid?: string };
        quarantinedBundles: readonly string[];
        tags?: Readonly<Record<string, string>>;
        /** Of the last connect or disconnect. */
        sinceMs?: number;
      }
    | undefined;
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
  /** The document of settings that is wanted on it: the digest of what was given, and whether the device has taken it up. */
  config(deviceId: string, name: string): { sha256: string; takenUp: boolean; version: number } | undefined;
}
