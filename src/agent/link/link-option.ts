/** What a link is made of. `createLink(option: LinkOption): Link` stands in link.ts. */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Lane, Row } from '../../protocol/lane.ts';
import type { Packing } from '../../protocol/columns/index.ts';
import type { SchemaCatalogue } from '../../protocol/schema-catalogue.ts';
import type { DeviceLog, Meeting } from '../../eventlog/device-log.ts';

export interface LinkOption {
  endpoint: LinkEndpoint;
  /** Read anew at each dial, so that a renewed certificate is used without a restart; a function is asked which. */
  identity: LinkIdentity | (() => LinkIdentity);
  log: DeviceLog;
  agentVersion: string;
  clock: Clock;
  logger: Log;
  /** Absent: each request waits in the log for `onRequest`. */
  receive?: Receive;
  /** There are unsettled requests in the log. Called after their commit; never while a transaction is open. */
  onRequest(): void;
  /** Whom a session has met, before anything of the log leaves. */
  onMeeting?(meeting: Meeting, lanes: readonly { ackedSeq: number; cursor: number }[]): void;
  /** Ask for a sign of life when nothing was received for this long. The coordinator may bear less. Default 240 s. */
  keepaliveMs?: number;
  /** The longest silence that is tried when the way bears it. Default: as `keepaliveMs`. */
  maxKeepaliveMs?: number;
  /** How long a ping, a HELLO or the dialling may stay unanswered. Default 20 s. */
  answerTimeoutMs?: number;
  backoff?: Partial<Backoff>;
  /** `classic` is X25519 alone; `hybrid` adds ML-KEM-768 for 2.3 kB more a full handshake. Default `classic`. */
  keyExchange?: 'classic' | 'hybrid';
  /** `pack` is quicker, `range` smaller. Default `range`. */
  packing?: Packing;
  /** Schemas of the product's events: rows of these travel in columns. */
  schemas?: SchemaCatalogue;
  /** Uniform in [0, 1); tests own the dice. */
  random?: () => number;
}

/** Requests of one lane, in order: stored when this returns. True: some of them wait in the log for `onRequest`. */
export type Receive = (coordinatorInstanceId: bigint, lane: Lane, firstSeq: number, rows: readonly Row[]) => boolean;

export interface LinkEndpoint {
  host: string;
  port: number;
  /** The name that the coordinator's certificate must carry. */
  serverName: string;
}

/** PEM texts, or the files that hold them; the key's file must be closed to group and others. */
export type LinkIdentity =
  | { keyFile: string; certificateFile: string; authorityFile: string }
  | { keyPem: string; certificatePem: string; authorityPem: string };

/** Waiting between dials: the first uniform in [firstMinMs, firstMaxMs], later decorrelated jitter up to maxMs. */
export interface Backoff {
  firstMinMs: number;
  firstMaxMs: number;
  maxMs: number;
  /** A session that lived this long resets the back-off. */
  stableMs: number;
}

export const defaultBackoff: Backoff = { firstMinMs: 200, firstMaxMs: 5_000, maxMs: 300_000, stableMs: 60_000 };
