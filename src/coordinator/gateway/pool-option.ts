/** What a pool of gateway processes is made of. `createGatewayPool(option): Promise<GatewayPool>` stands in pool.ts. */
import type { Log, LogLevel } from '../../log.ts';
import type { Packing } from '../../protocol/columns/index.ts';
import type { TrustedAuthority } from '../../pki/peer-reader.ts';
import type { GatewayHandler, GatewayPort } from './port.ts';

export interface GatewayPoolOption {
  /** Gateway processes, at least one. */
  count: number;
  listen: { host: string; port: number };
  tls: GatewayTls;
  /** Whose devices may come in; by default the authorities of `tls.authorityFile` but for the root. */
  authorities?: readonly TrustedAuthority[];
  /** Blobs are files in here, named by their SHA-256 in lower-case hex. */
  blobDirectory: string;
  /** The script of the gateway process: src/bin/gateway.ts, or its bundle. */
  gatewayEntry: string;
  /** Settings that node has no option for: templates/gateway-openssl.cnf. Without it every first connection is 700 bytes dearer. */
  opensslConfigFile?: string;
  fleetId: string;
  handler: GatewayHandler;
  log: Log;
  limits?: Partial<GatewayLimits>;
  /** Avro schemas by fingerprint (16 hex digits), as JSON: devices need not tell these. */
  schemas?: Readonly<Record<string, string>>;
  /** Default `hybrid`: whatever the device offers. */
  keyExchange?: 'classic' | 'hybrid';
  /** Keeps the key of session tickets over a restart. Without it, all devices shake hands in full after one. */
  ticketKeyFile?: string;
  /** How batches to devices are written. Default `range`. */
  packing?: Packing;
  /** Where the gateways log: a path, or 2 for the core's stderr (default). */
  logDestination?: string | 2;
  logLevel?: LogLevel;
}

/** PEM files; the key's must be closed to group and others. */
export interface GatewayTls {
  keyFile: string;
  /** The coordinator's certificate, with the intermediates that devices do not hold. */
  certificateFile: string;
  /** The issuing CA and the root, at which every chain of the fleet ends. */
  authorityFile: string;
}

/** All that a gateway's TLS is made of. Travels from the core through the socket pair, never over a disk. */
export interface GatewayMaterial {
  keyPem: string;
  certificatePem: string;
  /** The fleet's root. */
  rootPem: string;
  authorities: readonly TrustedAuthority[];
}

export interface GatewayLimits {
  /** Of one gateway; more are dropped before the TLS handshake. */
  maxConnections: number;
  /** Handshakes in progress in one gateway; more are dropped before they start. */
  maxHandshakes: number;
  handshakeTimeoutMs: number;
  /** From the end of the TLS handshake to a whole HELLO. */
  helloTimeoutMs: number;
  /** The longest silence of a device that is borne; devices find out what their way bears, up to this. */
  keepaliveMs: number;
  /** Events of lanes 1 to 3 that one device may have sent and not had acknowledged. */
  creditBytes: number;
  /** Requests that wait for one slow device; beyond it the connection is cut, and the core redelivers. */
  maxQueuedBytes: number;
  /** When draining, devices are told to come back after a random part of this; `auto` grows with their number. */
  retrySpreadMs: number | 'auto';
  ticketRotationMs: number;
}

export const defaultGatewayLimits: GatewayLimits = {
  maxConnections: 18_000,
  maxHandshakes: 256,
  handshakeTimeoutMs: 10_000,
  helloTimeoutMs: 10_000,
  keepaliveMs: 1_680_000,
  creditBytes: 1_048_576,
  maxQueuedBytes: 4 * 1024 * 1024,
  retrySpreadMs: 'auto',
  ticketRotationMs: 12 * 3_600_000,
};

export interface GatewayPool extends GatewayPort {
  /** The port that all gateways listen on. */
  readonly port: number;
  /** Of the gateways that live now; a restarted one has another. */
  readonly pids: number[];
  /** What devices see from their next connection on. */
  setCertificate(certificate: { keyPem: string; certificatePem: string }): void;
  /** Says GOAWAY to every device with a spread retry hint, and ends the processes. */
  stop(): Promise<void>;
}
