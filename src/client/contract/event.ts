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
  /** Decoded when the schema is 0 (JSON), else base64 under `base64`. */
  payload: unknown;
}

/** Query of `GET /v1/events` and `/v1/events/follow`. */
export interface EventQuery {
  from?: number; // offset; absent in follow = only new ones
  limit?: number;
  selector?: string;
  type?: string; // a glob: `flotilla.*`
}
