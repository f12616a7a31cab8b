/** A row of the coordinator's event log. `offset` counts all rows of the log from 1, without gaps, in order of commit. */
export interface StoredEvent {
  offset: number;
  deviceId: string; // '' for the coordinator's own
  instanceId: string; // hex
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestampMs: number; // the writer's clock
  receivedAtMs: number; // the coordinator's
  /**
   * JSON as it came, or an Avro payload as JSON, by the newest registered schema of its type: longs beyond 2^53, NaN and
   * the infinities are text, bytes are base64. What can't be read: `{ schema, base64, error }`.
   */
  payload: unknown;
}

/** Query of `GET /v1/events` and `/v1/events/follow`. */
export interface EventQuery {
  from?: number; // offset; absent in follow = only new ones
  limit?: number;
  selector?: string;
  type?: string; // a glob: `flotilla.*`
  asWritten?: boolean; // Avro payloads by the schema of their writer
}
