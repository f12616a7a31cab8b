import type { CountingProxy } from './counting-proxy.ts';
import type { WireEvent } from './event-set.ts';

/** A way to carry events from a device to a program that consumes them, with real programs on both ends. */
export interface Peer extends AsyncDisposable {
  /** Between the device and what it dials. */
  readonly deviceLeg: CountingProxy;
  /** Between a broker and the consumer. */
  readonly consumerLeg?: CountingProxy;
  /** Ways of writing the same events; the first is the plain one. */
  readonly ways: readonly string[];
  /** How often a quiet connection is spoken on unless configured; absent when it never is. */
  readonly defaultKeepaliveMs?: number;
  /** A new device with a connection of its own, ready to send. */
  connect(option: { way: string; keepaliveMs?: number }): Promise<PeerSession>;
}

export interface PeerSession {
  /** Resolves when the events are acknowledged to the device and have reached the consumer. */
  send(events: WireEvent[], firstOffset: number): Promise<void>;
  /** Ends the connection and makes another one with the same identity, ready to send. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

export interface PeerTls {
  /** Of the server; the certificate file holds its issuer's too. */
  keyFile: string;
  certificateFile: string;
  authorityFile: string;
  authorityPem: string;
  /** What a client under that name hands to node's TLS. */
  client(id: string): Promise<ClientTls>;
}

export interface ClientTls {
  key: string;
  /** The leaf alone. */
  cert: string;
  ca: string;
  servername: string;
  minVersion: 'TLSv1.3';
  ecdhCurve: 'X25519';
}
