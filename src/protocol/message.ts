/** What the frames mean, as data. encode.ts and decode.ts hold the bytes; the layout stands there. */
import type { Lane } from './lane.ts';

/** What a later version adds to HELLO and WELCOME; tags that are not known are kept and ignored. */
export interface Extension {
  tag: number;
  value: Uint8Array;
}

/** Tags of extensions. */
export const extensionTags = {
  /** HELLO: u64 token of the state of rows that the device has kept; WELCOME: empty, go on from it. */
  warm: 1,
} as const;

export const protocolVersion = 1;
/** What this code speaks; a session runs on the highest version that both speak. */
export const spokenVersions = { min: 1, max: 1 } as const;

/** Bits of `features`: what a side can do beyond the version. A session has those of both sides. */
export const features = {
  /** The device may report a change of its grains as `flotilla.grains-change`. */
  grainsChange: 1,
  /** Rows of jobs name their stream each time and leave none behind (columns/passing.ts). */
  passingStreams: 2,
} as const;
export const spokenFeatures = features.grainsChange | features.passingStreams;

export interface Hello {
  type: 'hello';
  minVersion: number;
  maxVersion: number;
  /** Bits that the device offers; unknown ones are ignored. */
  features: number;
  /** Random, made with the device's data directory; another id = another history. */
  instanceId: bigint;
  /** The coordinator whose requests `requestCursor` counts; 0n if none. */
  knownCoordinatorInstanceId: bigint;
  /** The silence after which the device asks for a sign of life, unless WELCOME allows less. */
  keepaliveMs: number;
  /** Of each lane, the number that the next event will have. */
  nextSeq: number[];
  /** Of each lane, the last request that is on the device's disk. */
  requestCursor: number[];
  agentVersion: string;
  extensions: Extension[];
}

/** How the coordinator regards the device: only an accepted one has lanes other than control. */
export const standings = { accepted: 0, pending: 1, quarantined: 2 } as const;
export type Standing = keyof typeof standings;

export interface Welcome {
  type: 'welcome';
  version: number;
  /** Those of HELLO that the coordinator has too. */
  features: number;
  standing: Standing;
  /** `known`: the one that HELLO named. */
  coordinatorInstanceId: bigint | 'known';
  /** For logs on both sides. */
  sessionId: number;
  /** Of each lane, the last event that is stored; the next one sent follows it. */
  eventCursor: number[];
  /** The longest silence that the coordinator bears; a device may ask sooner. */
  keepaliveMs: number;
  /** Events of lanes 1 to 3 that may be unacknowledged, counted as payload + 8 bytes each. */
  creditBytes: number;
  /** The largest body that the coordinator takes: in version 1 always the wire's own bound. */
  maxFrameBytes: number;
  serverTimeMs: number;
  extensions: Extension[];
}

/** Numbers of REJECT and GOAWAY. 0 stands for every number that a later version may send. */
export const closeCodes = {
  other: 0,
  'unsupported-protocol': 1,
  'unknown-device': 2, // valid certificate, waits for the operator
  quarantined: 3,
  revoked: 4,
  expired: 5,
  superseded: 6, // a newer connection of the same identity
  'instance-mismatch': 7,
  overloaded: 8,
  'shutting-down': 9,
  'protocol-error': 10,
  timeout: 11, // no HELLO, no WELCOME, no sign of life
  closed: 12, // on purpose, nothing wrong
  'unsupported-agent': 13, // the detail is the least version that is served
  replaced: 14, // the certificate; the device has proved a newer one
  'not-admitted': 15, // the application has refused it; the detail is its reason
} as const;
export type CloseCode = keyof typeof closeCodes;

/** REJECT and GOAWAY say the same thing, before and after WELCOME. */
export interface Farewell {
  type: 'reject' | 'goaway';
  code: CloseCode;
  /** 0: the receiver's own back-off. */
  retryAfterMs: number;
  /** At most 64 bytes of UTF-8. */
  detail: string;
}

export interface Ack {
  type: 'ack';
  lane: Lane;
  /** So many more sequence numbers are stored, left-out ones included. */
  count: number;
}

export const nackClasses = { retry: 1, 'need-schema': 2, reject: 3, 'too-large': 4, forbidden: 5 } as const;
export type NackClass = keyof typeof nackClasses;

export interface Nack {
  type: 'nack';
  lane: Lane;
  class: NackClass;
  /** The row's distance from the first unacknowledged one. */
  ahead: number;
  code: number;
  retryAfterMs: number;
  detail: string;
}

export interface Ping {
  type: 'ping';
  /** D→C: once this is answered, the device may be silent for so long. 0: as before. */
  keepaliveMs: number;
}

export interface Pong {
  type: 'pong';
}

/** D←C: so many bytes may be unacknowledged from now on; replaces what WELCOME granted. */
export interface Credit {
  type: 'credit';
  bytes: number;
}

/** D←C: no event of this lane for so long; 0: go on. The latest one counts. */
export interface Pause {
  type: 'pause';
  lane: Lane;
  ms: number;
}

/** D←C: the device was accepted; all lanes are open from here on. */
export interface Open {
  type: 'open';
}

export type CreditMessage = Credit | Pause | Open;

/** The schema of rows to come: its columns hold for this connection and direction. */
export interface Define {
  type: 'define';
  /** CRC-64-AVRO, not 0. */
  fingerprint: bigint;
  /** Avro, as JSON. */
  text: string;
}

export const gapReasons = {
  'not-kept': 1, // it was acknowledged once, and the sender has it no longer
  'new-instance': 2, // it belongs to another history of the sender
  superseded: 3, // a newer row of its type and key made it worthless before it was sent
  withdrawn: 4, // a request that nobody wants any more
  'disk-pressure': 5, // given up for room; `flotilla.gap` tells how much
} as const;
export type GapReason = keyof typeof gapReasons;

export interface Gap {
  type: 'gap';
  lane: Lane;
  skipped: number;
  reason: GapReason;
}

/** One row, or rows of one lane: what is in `body` depends on all that came before (columns/). */
export interface RowMessage {
  type: 'event' | 'batch';
  body: Uint8Array;
}

export interface Want {
  type: 'want';
  /** Counts up from 1 on each connection. */
  id: number;
  sha256: Uint8Array;
  offset: number;
  length: number;
}

/** The next bytes of WANT `id`: their offset follows from what came before. */
export interface Data {
  type: 'data';
  id: number;
  bytes: Uint8Array;
}

/** So many more bytes of DATA have arrived: opens the sender's window. */
export interface Took {
  type: 'took';
  bytes: number;
}

export const wantRefusals = { 'not-granted': 1, 'not-found': 2, 'out-of-range': 3, failed: 4 } as const;
export type WantRefusal = keyof typeof wantRefusals;

export interface WantRefused {
  type: 'want-refused';
  id: number;
  code: WantRefusal;
}

export interface WantCancelled {
  type: 'want-cancelled';
  id: number;
}

export type ChunkMessage = Want | Data | Took | WantRefused | WantCancelled;

export type Message =
  Hello | Welcome | Farewell | Ack | Nack | Ping | Pong | Define | Gap | RowMessage | CreditMessage | ChunkMessage;
