/** A device that is not as it should be, and that no operator has put into this state. */
export interface Alert {
  deviceId: string;
  kind: 'clone' | 'quarantined' | 'clock';
  detail: string;
  atMs: number;
}

export interface CoordinatorStatus {
  fleetId: string;
  instanceId: string; // hex
  version: string;
  pid: number;
  startedAtMs: number;
  listen: { host: string; port: number };
  /** Where devices enroll; absent when they can't. */
  enrollment?: { host: string; port: number };
  /** Where devices come whose certificate has expired; absent: nowhere. */
  recoveryPort?: number;
  /** Where operators connect from elsewhere, with a certificate and with a token. */
  api: { certificate?: { host: string; port: number }; token?: { host: string; port: number } };
  gateways: { pid: number; connections: number }[];
  devices: { total: number; connected: number; byState: Record<string, number> };
  store: { path: string; events: number; lastOffset: number };
  /** Those that nobody has decided on, by layer and type. */
  deadLetters: { layer: string; type: string; count: number; oldestAtMs: number }[];
  /** What somebody should look at, the newest first; at most 20 of `alertCount`. */
  alerts: Alert[];
  alertCount: number;
  /** Where the application is asked about connects: since the start. */
  connectHook?: {
    asking: number;
    waiting: number;
    allowed: number;
    denied: number;
    quarantined: number;
    failed: number;
    lastFailure?: { reason: string; atMs: number };
  };
  jobs: { running: number };
  rollouts: { running: number };
  /** Where published bundles lie. */
  blobDirectory: string;
}
