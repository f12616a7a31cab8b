/**
 * What core and gateways say to each other over a Channel. Numbers are the channel's frame kinds; a connection is the
 * gateway's own number for it, the pool maps it to the core's. Bodies are written and read by the two functions of
 * each kind, side by side here.
 */
import { Buffer } from 'node:buffer';
import type { ByteReader } from '../../protocol/byte-reader.ts';
import type { ByteWriter } from '../../protocol/byte-writer.ts';
import type { Packing } from '../../protocol/columns/index.ts';
import { laneCount, type Lane, type Row } from '../../protocol/lane.ts';
import { maxFrameBytes } from '../../protocol/limit.ts';
import type { LogLevel } from '../../log.ts';
import { gapReasons, standings, type GapReason, type NackClass, type Standing } from '../../protocol/message.ts';
import { writePackedRows, type RowBlock } from '../../protocol/packed-rows.ts';
import type { Admittance, Connect, FrameFault, NackVerdict, PeerIdentity, RefuseCode, Traffic } from './port.ts';
import type { GatewayLimits, GatewayMaterial } from './pool-option.ts';

/** Core to gateway. */
export const ToGateway = {
  configure: 1, // JSON GatewayConfig; the first frame
  admit: 2,
  refuse: 3,
  acknowledge: 4,
  request: 5,
  grantBlob: 6,
  close: 7,
  revoked: 8, // the whole set
  ticketKeys: 9,
  drain: 10, // say GOAWAY to all, then end
  open: 11,
  nack: 12,
  pause: 13,
  probe: 14,
  schema: 15,
  credit: 16,
  tls: 17, // JSON GatewayMaterial: replaces the one before
  sameRequest: 18, // the row of the request before it, for another connection
} as const;

/** Gateway to core. */
export const ToCore = {
  ready: 32, // varint port
  failed: 33, // JSON ErrorDocument: it could not start
  connect: 34,
  events: 35,
  requestsAcked: 36,
  disconnect: 37,
  probed: 38,
  block: 39, // product rows, packed
  gap: 40,
  frameFault: 41, // a connection that ended for bytes that are no frames
  schema: 42, // before the rows that it is for
} as const;

export interface GatewayConfig {
  gateway: number;
  fleetId: string;
  listen: { host: string; port: number };
  tls: GatewayMaterial;
  ticketKeysHex: string;
  blobDirectory: string;
  keyExchange: 'classic' | 'hybrid';
  packing: Packing;
  limits: GatewayLimits;
  logLevel: LogLevel;
  logDestination: string | 2;
}

const maxJsonBytes = 1_048_576;
const maxTextBytes = 65_536;

export function writeJson(body: ByteWriter, value: unknown): void {
  body.text(JSON.stringify(value));
}

export function readJson(body: ByteReader): unknown {
  return JSON.parse(body.text(maxJsonBytes));
}

function writeSeqs(body: ByteWriter, seqs: readonly number[]): void {
  for (let lane = 0; lane < laneCount; lane += 1) body.varint(seqs[lane] ?? 0);
}

function readSeqs(body: ByteReader): number[] {
  return Array.from({ length: laneCount }, () => body.varint());
}

export function writeAdmit(
  body: ByteWriter,
  local: number,
  id: number,
  { coordinatorInstanceId, eventCursor, standing }: Admittance,
): void {
  body.varint(local);
  body.varint(id);
  body.uint64(coordinatorInstanceId);
  writeSeqs(body, eventCursor);
  body.byte(standings[standing]);
}

const standingNames = Object.keys(standings) as Standing[];

export function readAdmit(body: ByteReader): Admittance & { local: number; id: number } {
  return {
    local: body.varint(),
    id: body.varint(),
    coordinatorInstanceId: body.uint64(),
    eventCursor: readSeqs(body),
    standing: standingNames[body.byte()]!,
  };
}

export function writeNack(body: ByteWriter, local: number, lane: Lane, seq: number, verdict: NackVerdict): void {
  body.varint(local);
  body.byte(lane);
  body.varint(seq);
  body.text(verdict.class);
  body.varint(verdict.code);
  body.varint(Math.max(0, Math.floor(verdict.retryAfterMs)));
  body.text(verdict.detail);
}

export function readNack(body: ByteReader): { local: number; lane: Lane; seq: number; verdict: NackVerdict } {
  return {
    local: body.varint(),
    lane: body.byte() as Lane,
    seq: body.varint(),
    verdict: {
      class: body.text(maxTextBytes) as NackClass,
      code: body.varint(),
      retryAfterMs: body.varint(),
      detail: body.text(maxTextBytes),
    },
  };
}

/** For `credit` (bytes), `probe` (milliseconds), `probed` (1 or 0) and `open` (0). */
export function writeNumber(body: ByteWriter, local: number, value: number): void {
  body.varint(local);
  body.varint(Math.max(0, Math.floor(value)));
}

export function readNumber(body: ByteReader): { local: number; value: number } {
  return { local: body.varint(), value: body.varint() };
}

export function writeClose(body: ByteWriter, local: number, reason: string, retryAfterMs: number): void {
  body.varint(local);
  body.text(reason);
  body.varint(Math.max(0, Math.floor(retryAfterMs)));
}

export function readClose(body: ByteReader): { local: number; reason: string; retryAfterMs: number } {
  return { local: body.varint(), reason: body.text(maxTextBytes), retryAfterMs: body.varint() };
}

export function writeRefuse(
  body: ByteWriter,
  local: number,
  refusal: { code: RefuseCode; retryAfterMs: number; detail: string },
): void {
  body.varint(local);
  body.text(refusal.code);
  body.varint(Math.max(0, Math.floor(refusal.retryAfterMs)));
  body.text(refusal.detail);
}

export function readRefuse(body: ByteReader): {
  local: number;
  code: RefuseCode;
  retryAfterMs: number;
  detail: string;
} {
  return {
    local: body.varint(),
    code: body.text(maxTextBytes) as RefuseCode,
    retryAfterMs: body.varint(),
    detail: body.text(maxTextBytes),
  };
}

/** For `acknowledge`, `requestsAcked`, `pause` (milliseconds), and `sameRequest` (its number). */
export function writeUpTo(body: ByteWriter, local: number, lane: Lane, upToSeq: number): void {
  body.varint(local);
  body.byte(lane);
  body.varint(upToSeq);
}

export function readUpTo(body: ByteReader): { local: number; lane: Lane; upToSeq: number } {
  return { local: body.varint(), lane: body.byte() as Lane, upToSeq: body.varint() };
}

const gapNames = new Map<number, GapReason>(
  Object.entries(gapReasons).map(([name, number]) => [number, name as GapReason]),
);

export function writeGap(
  body: ByteWriter,
  local: number,
  gap: { lane: Lane; upToSeq: number; reason: GapReason },
): void {
  writeUpTo(body, local, gap.lane, gap.upToSeq);
  body.byte(gapReasons[gap.reason]);
}

export function readGap(body: ByteReader): { local: number; lane: Lane; upToSeq: number; reason: GapReason } {
  return { ...readUpTo(body), reason: gapNames.get(body.byte()) ?? 'not-kept' };
}

/** For `request` and `events`. */
export function writeRows(body: ByteWriter, local: number, lane: Lane, firstSeq: number, rows: readonly Row[]): void {
  body.varint(local);
  body.byte(lane);
  body.varint(firstSeq);
  body.varint(rows.length);
  for (const row of rows) {
    body.text(row.type);
    body.text(row.key);
    body.varint(row.timestampMs);
    body.uint64(row.schema);
    body.block(row.payload);
  }
}

/** Is it the same but for who gets it? */
export function isSameRow(one: Row | undefined, other: Row): boolean {
  return (
    one !== undefined &&
    one.type === other.type &&
    one.key === other.key &&
    one.timestampMs === other.timestampMs &&
    one.schema === other.schema &&
    Buffer.compare(one.payload, other.payload) === 0
  );
}

/** Payloads are copies: the channel's buffer is let go. */
export function readRows(body: ByteReader): { local: number; lane: Lane; firstSeq: number; rows: Row[] } {
  const head = { local: body.varint(), lane: body.byte() as Lane, firstSeq: body.varint() };
  const rows = Array.from({ length: body.varint(body.remaining) }, () => ({
    type: body.text(maxTextBytes),
    key: body.text(maxTextBytes),
    timestampMs: body.varint(),
    schema: body.uint64(),
    payload: Buffer.from(body.block(maxFrameBytes)),
  }));
  return { ...head, rows };
}

/** A run of product rows. */
export function writeBlock(body: ByteWriter, local: number, lane: Lane, firstSeq: number, rows: readonly Row[]): void {
  body.varint(local);
  body.byte(lane);
  body.varint(firstSeq);
  body.varint(rows.length);
  const schemas = new Set<bigint>();
  for (const { schema } of rows) if (schema !== 0n) schemas.add(schema);
  body.varint(schemas.size);
  for (const schema of schemas) body.uint64(schema);
  body.varint(rows.at(-1)?.timestampMs ?? 0);
  writePackedRows(body, rows);
}

/** The rows' bytes are a copy of their own: they go on to the store's thread. */
export function readBlock(body: ByteReader): { local: number; lane: Lane; firstSeq: number; block: RowBlock } {
  const head = { local: body.varint(), lane: body.byte() as Lane, firstSeq: body.varint() };
  const count = body.varint(body.remaining);
  const schemas = Array.from({ length: body.varint(body.remaining) }, () => body.uint64());
  const lastTimestampMs = body.varint();
  return { ...head, block: { count, schemas, lastTimestampMs, bytes: new Uint8Array(body.rest()) } };
}

const maxFaultBytes = 4_096;

export function writeFrameFault(body: ByteWriter, { deviceId, detail, bytes }: FrameFault): void {
  body.text(deviceId);
  body.text(detail);
  body.block(bytes);
}

export function readFrameFault(body: ByteReader): FrameFault {
  const deviceId = body.text(maxTextBytes);
  const detail = body.text(maxTextBytes);
  return { deviceId, detail, bytes: Uint8Array.from(body.block(maxFaultBytes)) };
}

/** For `grantBlob`. */
export function writeNamed(body: ByteWriter, local: number, text: string): void {
  body.varint(local);
  body.text(text);
}

export function readNamed(body: ByteReader): { local: number; text: string } {
  return { local: body.varint(), text: body.text(maxTextBytes) };
}

/** `ToGateway.schema`: for every connection. */
export function writeSchema(body: ByteWriter, fingerprint: bigint, text: string): void {
  body.uint64(fingerprint);
  body.text(text);
}

export function readSchemaText(body: ByteReader): { fingerprint: bigint; text: string } {
  return { fingerprint: body.uint64(), text: body.text(maxTextBytes) };
}

/** `ToCore.schema`: told on this connection. */
export function writeDefine(body: ByteWriter, local: number, fingerprint: bigint, text: string): void {
  body.varint(local);
  writeSchema(body, fingerprint, text);
}

export function readDefine(body: ByteReader): { local: number; fingerprint: bigint; text: string } {
  return { local: body.varint(), ...readSchemaText(body) };
}

export function writeSerials(body: ByteWriter, serials: ReadonlySet<string>): void {
  body.varint(serials.size);
  for (const serial of serials) body.text(serial);
}

export function readSerials(body: ByteReader): Set<string> {
  return new Set(Array.from({ length: body.varint(body.remaining) }, () => body.text(maxTextBytes)));
}

export type LocalConnect = Omit<Connect, 'connection' | 'gateway'> & { local: number };

export function writeConnect(body: ByteWriter, connect: LocalConnect): void {
  const { identity } = connect;
  body.varint(connect.local);
  body.text(identity.fleetId);
  body.text(identity.deviceId);
  body.text(identity.authority);
  body.text(identity.subject ?? '');
  body.text(identity.serialHex);
  body.text(identity.fingerprintSha256Hex);
  body.text(String(identity.notBeforeMs)); // may lie before 1970
  body.text(String(identity.notAfterMs));
  body.text(connect.address);
  body.byte(connect.resumed ? 1 : 0);
  body.uint64(connect.instanceId);
  body.text(connect.agentVersion);
  body.uint64(connect.knownCoordinatorInstanceId);
  writeSeqs(body, connect.nextSeq);
  writeSeqs(body, connect.requestCursor);
}

export function readConnect(body: ByteReader): LocalConnect {
  const local = body.varint();
  const identity: PeerIdentity = {
    fleetId: body.text(maxTextBytes),
    deviceId: body.text(maxTextBytes),
    authority: body.text(maxTextBytes),
    ...readSubject(body),
    serialHex: body.text(maxTextBytes),
    fingerprintSha256Hex: body.text(maxTextBytes),
    notBeforeMs: Number(body.text(maxTextBytes)),
    notAfterMs: Number(body.text(maxTextBytes)),
  };
  return {
    local,
    identity,
    address: body.text(maxTextBytes),
    resumed: body.byte() === 1,
    instanceId: body.uint64(),
    agentVersion: body.text(maxTextBytes),
    knownCoordinatorInstanceId: body.uint64(),
    nextSeq: readSeqs(body),
    requestCursor: readSeqs(body),
  };
}

function readSubject(body: ByteReader): { subject?: string } {
  const subject = body.text(maxTextBytes);
  return subject === '' ? {} : { subject };
}

export function writeDisconnect(body: ByteWriter, local: number, reason: string, traffic: Traffic): void {
  body.varint(local);
  body.text(reason);
  body.varint(traffic.receivedBytes);
  body.varint(traffic.sentBytes);
}

export function readDisconnect(body: ByteReader): { local: number; reason: string; traffic: Traffic } {
  const local = body.varint();
  const reason = body.text(maxTextBytes);
  return { local, reason, traffic: { receivedBytes: body.varint(), sentBytes: body.varint() } };
}
