import type { ConfigConflict } from './merge-document.ts';

/** A device's document of settings, as the coordinator keeps it: what is wanted, and what the device says it has. */
export interface ConfigDocument {
  deviceId: string;
  name: string;
  /** What both sides agreed on last. */
  base?: unknown;
  desired?: DesiredDocument;
  reported?: ReportedDocument;
  /** Sent to the device and not taken up as far as is known, the oldest first: its next changes may come from one. */
  outstanding: { version: number; document: unknown }[];
  /** The last desired version that the device has committed; what it makes of it comes as a report. */
  deliveredVersion: number;
  /** The last desired version that the device says it has taken up, 0 for none. */
  takenVersion: number;
  /** The last version that the product would not take. */
  rejection?: { version: number; reason?: string };
  /** Nothing is sent until it is resolved. */
  contest?: Contest;
}

export interface DesiredDocument {
  /** From 1; never given twice. */
  version: number;
  document: unknown;
  /** What the operator gave: without what the device had changed and was merged into `document`. */
  given: unknown;
  /** The device's revision that it was made against; 0: none was known. */
  baseRevision: number;
  setAtMs: number;
  setBy: string;
  /** The job that has set it, and waits for what becomes of it. */
  jobId?: string;
}

export interface ReportedDocument {
  /** The device's own count of changes. */
  revision: number;
  /** Absent at revision 0: it has rejected the first one and has none of its own. */
  document?: unknown;
  /** The last desired version that it has taken up; of state `rejected` the one that it refused. */
  desiredVersion: number;
  state: 'applied' | 'rejected' | 'local';
  reason?: string;
  atMs: number;
}

/** Both sides changed the same places. */
export interface Contest {
  base?: unknown;
  /** The device's side of it. */
  theirs: unknown;
  conflicts: ConfigConflict[];
}

export function newConfig(deviceId: string, name: string): ConfigDocument {
  return { deviceId, name, outstanding: [], deliveredVersion: 0, takenVersion: 0 };
}

/** The device has the newest desired version, whatever it has changed since. */
export function isTakenUp({ desired, takenVersion }: ConfigDocument): boolean {
  return desired !== undefined && takenVersion >= desired.version;
}

/** And stays so, whatever else the device reports, until another version is wanted. */
export function isRejected({ desired, rejection }: ConfigDocument): boolean {
  return rejection !== undefined && rejection.version === desired?.version;
}

/** The newest desired version waits to be sent or answered. */
export function isUnderWay(config: ConfigDocument): boolean {
  return config.desired !== undefined && config.contest === undefined && !isTakenUp(config) && !isRejected(config);
}
