import type { RequestPayload, RequestType } from '../protocol/request.ts';
import type { MemberRow } from '../store/row.ts';

/** A request to be put into a device's outbox. */
export type NewRequest = {
  [T in RequestType]: { type: T; key: string; payload: RequestPayload[T]; expiresAtMs: number };
}[RequestType];

/**
 * What a reducer wants done. Data: the runtime carries it out, stores everything in one transaction, and lets nothing
 * out (to a device, to a caller) before that transaction is durable.
 */
export type Effect =
  /** This row of a job or rollout changed and must be stored and shown to those who follow. */
  | { kind: 'member'; member: MemberRow }
  | { kind: 'request'; deviceId: string; request: NewRequest }
  /** Takes a request out of the outbox unless it was sent already. */
  | { kind: 'withdraw'; deviceId: string; type: RequestType; key: string }
  /** More devices of this job may start, and this turn has begun enough. */
  | { kind: 'more'; jobId: string }
  /** A job sets a document of settings on a device. */
  | { kind: 'set-config'; deviceId: string; jobId: string; name: string; document: unknown; by: string }
  /** The pair (device, bundle) was reverted: no rollout offers it again. */
  | { kind: 'quarantine-bundle'; deviceId: string; bundleUuid: string }
  /** This connection may fetch the blob. */
  | { kind: 'grant'; deviceId: string; sha256: string }
  /** A rollout has ended badly: these get the release that is named. */
  | { kind: 'roll-back'; rolloutId: string; release: string; deviceIds: readonly string[]; reason: string }
  /** A rollout lets a device begin its action, for the n-th time. */
  | { kind: 'run-step'; rolloutId: string; deviceId: string; attempt: number; expiresAtMs: number }
  /** The device is to stop, unless it can't any more. */
  | { kind: 'cancel-step'; rolloutId: string; deviceId: string; attempt: number; reason: string }
  /** Nobody begins any more. */
  | { kind: 'end-steps'; rolloutId: string }
  /** A row of the coordinator's own in the event log. */
  | { kind: 'event'; deviceId: string; type: string; key: string; payload: Record<string, unknown> };

export interface Reduced<State> {
  state: State;
  effects: Effect[];
}
