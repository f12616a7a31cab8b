import { connect as connectTcp } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext } from 'node:tls';
import { systemErrorCode } from '../error.ts';
import { alpnProtocol } from './alpn.ts';
import type { ByteStream } from './byte-stream.ts';
import { dialerCryptography } from './cryptography.ts';
import { rootsOf } from './certificate-chain.ts';
import { TlsStream } from './tls-stream.ts';

export interface TlsDialOption {
  host: string;
  port: number;
  serverName: string;
  keyPem: string;
  certificatePem: string;
  authorityPem: string;
  /** From an earlier `onTicket` under the same certificate. */
  ticket?: Buffer | undefined;
  keyExchange: 'classic' | 'hybrid';
  onStream(stream: ByteStream, resumed: boolean): void;
  /** Instead of `onStream`. */
  onFailed(reason: string): void;
  onTicket(ticket: Buffer): void;
}

/** Dials; the returned function gives up, after which nothing is called. Throws for PEMs that can't be read. */
export function dialTls(option: TlsDialOption): () => void {
  const secureContext = createSecureContext({
    key: option.keyPem,
    cert: option.certificatePem,
    ca: rootsOf(option.authorityPem),
    minVersion: 'TLSv1.3',
    ...dialerCryptography(option.keyPem, option.keyExchange),
  });
  let settled = false;
  const fail = (error: Error): void => {
    if (settled) return;
    settled = true;
    socket.destroy();
    option.onFailed(systemErrorCode(error) ?? error.message);
  };
  const raw = connectTcp({ host: option.host, port: option.port, noDelay: true });
  const socket = connectTls({
    socket: raw,
    // The gateway has one certificate, so the name is not sent: 35 bytes of each hello and 28 of each ticket.
    servername: '',
    checkServerIdentity: (_, certificate) => checkServerIdentity(option.serverName, certificate),
    secureContext,
    rejectUnauthorized: true,
    ALPNProtocols: [alpnProtocol],
    ...(option.ticket === undefined ? {} : { session: option.ticket }),
  });
  raw.on('error', fail);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('closed during the handshake')));
  socket.on('session', (ticket) => option.onTicket(ticket));
  socket.once('secureConnect', () => {
    if (settled) return;
    if (socket.alpnProtocol !== alpnProtocol) return fail(new Error('the other end does not speak flotilla/1'));
    settled = true;
    option.onStream(new TlsStream(socket, raw), socket.isSessionReused());
  });
  return () => {
    settled = true;
    raw.destroy();
    socket.destroy();
  };
}
