/** What a session tells its driver. Effects are data, in the order of what came. */
import type { Lane, Row } from '../protocol/lane.ts';
import type { CloseCode, GapReason, Hello, Nack, WantRefusal, Welcome } from '../protocol/message.ts';

export type Effect =
  /** Coordinator: decide; answer with `admit` or `refuse`. */
  | { kind: 'hello'; hello: Hello }
  /** Device: the session is live. */
  | { kind: 'live'; welcome: Welcome & { coordinatorInstanceId: bigint } }
  /** Device: it was accepted on this very session, all lanes are open. */
  | { kind: 'opened' }
  /** Coordinator: the device has answered `probe`. */
  | { kind: 'pong' }
  /** Rows of one lane in order; commit them, then call `acknowledge`. Payloads are views of the read buffer. */
  | { kind: 'rows'; lane: Lane; firstSeq: number; rows: Row[] }
  /** The peer has told a schema (Avro, JSON) that rows to come are read by. */
  | { kind: 'schema'; fingerprint: bigint; text: string }
  | { kind: 'gap'; lane: Lane; upToSeq: number; reason: GapReason }
  | { kind: 'acked'; lane: Lane; upToSeq: number }
  | { kind: 'nacked'; nack: Nack; seq: number }
  /** Coordinator: answer with `provide` (in pieces) or `refuseWant`. */
  | { kind: 'want'; id: number; sha256: Uint8Array; offset: number; length: number }
  | { kind: 'want-cancelled'; id: number }
  /** Device: the next bytes of a part; `last` when it is whole. */
  | { kind: 'data'; id: number; bytes: Uint8Array; last: boolean }
  | { kind: 'want-refused'; id: number; code: WantRefusal }
  /** Over; flush once more, then end the socket. */
  | { kind: 'closed'; close: Close };

export interface Close {
  by: 'peer' | 'us';
  /** The peer's answer to our HELLO was REJECT. */
  rejected: boolean;
  code: CloseCode;
  retryAfterMs: number;
  detail: string;
}
