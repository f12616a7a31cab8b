import type { DevicePems } from '../../support/link-bench.ts';

export const dialects = ['flotilla', 'mosquitto', 'nats'] as const;
export type Dialect = (typeof dialects)[number];

/** What a generator process is told, as one JSON line on stdin. */
export interface GeneratorSetup {
  dialect: Dialect;
  port: number;
  serverName: string;
  devices: (DevicePems & { id: string })[];
  /** Events that one connection hands over at once; 1: each by itself, in a record of its own. */
  batchRows: number;
  /** Brokers only: a batch as one message of packed rows, not as a message for each event. */
  packed: boolean;
  /** Of one connection, not yet confirmed. */
  maxUnconfirmed: number;
  warmUpMs: number;
  measureMs: number;
  vectorDirectory: string;
}

/** What it answers: a line `{phase}` when the measurement begins and ends, then this, as JSON lines on stdout. */
export interface GeneratorReport {
  connections: number;
  /** Confirmed between the end of the warm-up and the end of the measurement. */
  confirmedInWindow: number;
  windowMs: number;
  /** In the whole run; what the store must hold at least. */
  confirmed: number;
  sent: number;
  /** Of a batch, from its hand-over to its confirmation; in the window. */
  latencyMs: { median: number; p99: number; max: number };
  cpuSeconds: number;
}
