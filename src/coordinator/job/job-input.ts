import type { ConfigFate } from '../config/config-fate.ts';
import type { JobEvent } from '../../protocol/event.ts';

/** What happens to a job. */
export type JobInput =
  /** Just stored: start what may start. */
  | { kind: 'open' }
  /** Start the next ones: so many at a time that their requests leave, and others get their turn. */
  | { kind: 'more' }
  /** The request left on a live connection. */
  | { kind: 'sent'; deviceId: string }
  /** The device has committed the request. */
  | { kind: 'delivered'; deviceId: string }
  | { kind: 'result'; deviceId: string; event: JobEvent }
  | { kind: 'connected'; deviceId: string }
  /** It tells that the job runs there. */
  | { kind: 'heard'; deviceId: string; startedAtMs: number }
  /** It has said which requests it takes. */
  | { kind: 'announced'; deviceId: string }
  | { kind: 'disconnected'; deviceId: string }
  /** The device came with another history while the request was under way: whether it ran is lost. */
  | { kind: 'history-lost'; deviceId: string }
  | { kind: 'removed'; deviceId: string }
  | { kind: 'cancel'; reason: string }
  /** Of a rollout's job: this device may begin, this one is to stop, and no other will begin. */
  | { kind: 'start'; deviceId: string; expiresAtMs: number }
  | { kind: 'cancel-device'; deviceId: string; reason: string }
  | { kind: 'close' }
  /** What has become of the document that this job has set there. */
  | { kind: 'config'; deviceId: string; fate: ConfigFate }
  /** Somebody wants to see what the actions write. */
  | { kind: 'follow' }
  | { kind: 'tick' };

export interface JobFacts {
  connected(deviceId: string): boolean;
  /** Does its agent take `job.run`? Undefined: it has not said yet what it takes. */
  takesRun(deviceId: string): boolean | undefined;
  /** Does its agent take settings, and `job.follow`? As above. */
  takesConfig(deviceId: string): boolean | undefined;
  takesFollow(deviceId: string): boolean | undefined;
  /** What a key in an argument means there; undefined: nothing. */
  value(deviceId: string, key: string): unknown;
}
