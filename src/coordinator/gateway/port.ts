/**
 * The narrow port between the core and the gateway processes. The core decides (identity, admission, what is sent);
 * gateways terminate TLS, run sessions, and hold presence. Everything the core is told arrives in order per connection.
 */
import type { Lane, Row } from '../../protocol/lane.ts';
import type { GapReason, Nack, Standing } from '../../protocol/message.ts';
import type { TrustedAuthority } from '../../pki/peer-reader.ts';
import type { RowBlock } from '../../protocol/packed-rows.ts';

/** Unique over the life of the core process: later connections have higher numbers, which kills ghosts. */
export type ConnectionId = number;

/** From the TLS session alone, never from a payload. */
export interface PeerIdentity {
  fleetId: string;
  deviceId: string;
  /** Id of the trusted authority that signed its certificate. */
  authority: string;
  /** Of a certificate of a registered authority: the names that the device id was made from. */
  subject?: string;
  /** Of a registered authority: `<authority>:<serial>`, because such an authority counts for itself. */
  serialHex: string;
  fingerprintSha256Hex: string;
  notBeforeMs: number;
  notAfterMs: number;
}

export interface Connect {
  connection: ConnectionId;
  gateway: number;
  identity: PeerIdentity;
  address: string;
  resumed: boolean;
  /** Made at the creation of the agent's data directory; another id = another history. */
  instanceId: bigint;
  agentVersion: string;
  /** The coordinator instance the device last spoke to, 0n if none. */
  knownCoordinatorInstanceId: bigint;
  /** The device's next sequence number per lane. */
  nextSeq: number[];
  /** Highest request seq that the device has committed, per lane, in the log of `knownCoordinatorInstanceId`. */
  requestCursor: number[];
}

export type RefuseCode =
  | 'unsupported-protocol'
  | 'unsupported-agent'
  | 'not-admitted'
  | 'unknown-device'
  | 'quarantined'
  | 'revoked'
  | 'expired'
  | 'replaced'
  | 'superseded'
  | 'instance-mismatch'
  | 'overloaded';

/** What the gateways tell the core. Implemented by the core. */
export interface GatewayHandler {
  /** A HELLO arrived. The core answers with `admit` or `refuse`; nothing else of this connection comes before. */
  connect(connect: Connect): void;
  /** Rows of one lane, in order, the first with seq `firstSeq`. The core answers with `acknowledge` after its commit. */
  events(connection: ConnectionId, lane: Lane, firstSeq: number, rows: Row[]): void;
  /** The same for a run of the product's own rows, which nobody has to look into. */
  eventBlock(connection: ConnectionId, lane: Lane, firstSeq: number, block: RowBlock): void;
  /** The device has told the Avro schema (JSON) of rows that follow, under the fingerprint that they name. */
  schema(connection: ConnectionId, fingerprint: bigint, text: string): void;
  /** The device will never send what lies between our cursor and `upToSeq`. The core answers with `acknowledge`. */
  gap(connection: ConnectionId, lane: Lane, upToSeq: number, reason: GapReason): void;
  /** The device has committed our requests of this lane up to and including `upToSeq`. */
  requestsAcked(connection: ConnectionId, lane: Lane, upToSeq: number): void;
  disconnect(connection: ConnectionId, reason: string, traffic: Traffic): void;
  /** The one answer to `probe`, unless the connection ends first: then it is `disconnect`. */
  probed(connection: ConnectionId, answered: boolean): void;
  /** A connection of this device was ended, with GOAWAY, because its bytes are no frames. */
  frameFault(fault: FrameFault): void;
}

export interface FrameFault {
  deviceId: string;
  /** What is wrong, for a person. */
  detail: string;
  /** The first of the read that could not be parsed. */
  bytes: Uint8Array;
}

/** Why a row is not taken as it is; a dead letter's detail is for the device's log: no internals. */
export type NackVerdict = Pick<Nack, 'class' | 'code' | 'retryAfterMs' | 'detail'>;

export interface Admittance {
  coordinatorInstanceId: bigint;
  eventCursor: number[];
  /** Anything but `accepted` has the control lane alone. */
  standing: Standing;
}

/** TLS bytes on the socket, both directions. */
export interface Traffic {
  receivedBytes: number;
  sentBytes: number;
}

/** What the core asks of the gateways. */
export interface GatewayPort {
  admit(connection: ConnectionId, welcome: Admittance): void;
  /** The device was accepted: all lanes of its connection open. */
  open(connection: ConnectionId): void;
  refuse(connection: ConnectionId, refusal: { code: RefuseCode; retryAfterMs: number; detail: string }): void;
  /** Everything of this lane up to and including `upToSeq` is stored. */
  acknowledge(connection: ConnectionId, lane: Lane, upToSeq: number): void;
  /** Before the `acknowledge` that covers it. */
  nack(connection: ConnectionId, lane: Lane, seq: number, verdict: NackVerdict): void;
  /** No events of this lane for so long; 0: go on. */
  pause(connection: ConnectionId, lane: Lane, ms: number): void;
  /** So many bytes of lanes 1 to 3 may be unacknowledged from now on, at most what WELCOME granted. */
  credit(connection: ConnectionId, bytes: number): void;
  /** Asks for a sign of life; `probed` tells. */
  probe(connection: ConnectionId, withinMs: number): void;
  /** The next request of this lane; `seq` is contiguous per device and lane. */
  request(connection: ConnectionId, lane: Lane, seq: number, row: Row): void;
  /** From now on this connection may fetch parts of this blob (a file named by its SHA-256 in the blob folder). */
  grantBlob(connection: ConnectionId, sha256: string): void;
  close(connection: ConnectionId, reason: string, retryAfterMs?: number): void;
  /** Avro (JSON) by fingerprint, 16 hex digits: no device needs to tell these any more. Adds to what was given before. */
  addSchemas(schemas: Readonly<Record<string, string>>): void;
  /** Serial numbers that no handshake may complete with; the whole set, pushed at start and on each change. */
  setRevoked(serialsHex: ReadonlySet<string>): void;
  /** Whose certificates are good from now on; the whole list. Connections of any other authority end. */
  setAuthorities(authorities: readonly TrustedAuthority[]): void;
}
