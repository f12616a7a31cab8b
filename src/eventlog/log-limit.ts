/** What a device's log may hold: the numbers come from agent.yaml, `events`. */

/** How long events of a type stay once the coordinator has them, for one that is restored from a backup. */
export interface RetentionRule {
  keepRows: number;
  /** By the time that stands in the row. */
  keepSeconds: number;
  keepBytes: number;
  /** Only the newest event of a key matters: an older one that waits is left out. */
  latestOnly: boolean;
}

export interface DeviceLogOption {
  /** By event type. */
  rules?: ReadonlyMap<string, RetentionRule>;
  /** For a type that has no rule of its own. `latestOnly` is not looked at here. */
  defaultRule?: RetentionRule;
  /** Of what waits to be sent, all lanes. */
  maxBytes?: number;
  /** Room on the file system; below it the log does not let its file grow. */
  minFreeBytes?: number;
  /** What the file system has left for the agent; undefined: it does not tell. */
  freeBytes?(): number | undefined;
  /** A file of two megabytes that is given back when the disk is full, so that room can be made at all. */
  reservePath?: string;
  nowMs?(): number;
}

export const defaultRetention: RetentionRule = {
  keepRows: 1_000,
  keepSeconds: Infinity,
  keepBytes: 1024 * 1024,
  latestOnly: false,
};

/** What a row takes besides its payload, type and key: numbers and the record's head, about. */
const recordBytes = 16;

/** Bytes of a row as it is counted everywhere: for limits, for what waits, for what was given up. */
export function storedBytes(row: { type: string; key: string; payload: Uint8Array }): number {
  return row.payload.length + Buffer.byteLength(row.type) + Buffer.byteLength(row.key) + recordBytes;
}

/** The same in SQL. The lengths of a blob and a text stand in the record's head: nothing is read for them. */
export const storedBytesSql = `octet_length(payload) + octet_length(type) + octet_length(key) + ${recordBytes}`;
