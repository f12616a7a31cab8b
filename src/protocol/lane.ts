/** Priority classes of a link; each is one contiguous, independently acknowledged sequence in each direction. */
export const Lane = {
  control: 0, // requests, results, update states
  alarm: 1,
  state: 2, // grains, reported documents
  bulk: 3, // telemetry; bundle parts travel at this priority
} as const;
export type Lane = (typeof Lane)[keyof typeof Lane];
export const laneCount = 4;

/** One row of an event log, in either direction: an event (device to coordinator) or a request (coordinator to device). */
export interface Row {
  /** `flotilla.*` is ours, everything else the product's. */
  type: string;
  /** What within the type it is about (job id, rollout id, meter number); may be empty. */
  key: string;
  /** The writer's wall clock, milliseconds since 1970. */
  timestampMs: number;
  /** CRC-64-AVRO fingerprint of the payload's schema; 0n means UTF-8 JSON. */
  schema: bigint;
  payload: Uint8Array;
}
