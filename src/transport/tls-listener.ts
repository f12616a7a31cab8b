import type { X509Certificate } from 'node:crypto';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { systemErrorCode } from '../error.ts';
import { alpnProtocol } from './alpn.ts';
import type { ByteStream } from './byte-stream.ts';
import { listenerCryptography } from './cryptography.ts';
import { withIssuer } from './certificate-chain.ts';
import { addressOf, TlsStream } from './tls-stream.ts';

/** What a listener shows of itself, and whom it trusts. */
export interface TlsMaterial {
  keyPem: string;
  certificatePem: string;
  authorityPem: string;
  /** Some of the authorities are somebody else's: their devices may have keys that ours never have. */
  hasForeignAuthority?: boolean;
}

export interface TlsListenerOption extends TlsMaterial {
  /** 48 bytes, the same in every process that listens on this port, or resumption fails at random. */
  ticketKeys: Uint8Array;
  /** `hybrid` takes ML-KEM-768 from a device that offers it. */
  keyExchange: 'classic' | 'hybrid';
  maxConnections: number;
  /** More wait for nobody: they are dropped before a byte of TLS is computed. */
  maxHandshakes: number;
  handshakeTimeoutMs: number;
  /** A peer whose certificate chains to the authority. A resumed session has skipped that check: judge it again. */
  onStream(stream: ByteStream, certificate: X509Certificate, resumed: boolean): void;
  onRefused(reason: RefusalReason, address: string, detail: string): void;
}

export type RefusalReason =
  | 'no-certificate'
  | 'unknown-authority'
  | 'expired-certificate'
  | 'alpn'
  | 'tls-version'
  | 'handshake-timeout'
  | 'not-tls'
  | 'hung-up' // before the end of the handshake
  | 'handshake-failed'
  | 'overloaded';

export interface TlsListener {
  listen(address: { host: string; port: number; reusePort: boolean }): Promise<number>;
  readonly connections: number;
  setTicketKeys(keys: Uint8Array): void;
  /** For handshakes that begin from now on; the streams that live go on, and so do tickets. Throws for bad PEMs. */
  setMaterial(material: TlsMaterial): void;
  /** Accepts no more; the streams that live go on. */
  close(): void;
}

/** A byte: it is in every ticket. Lets OpenSSL tell tickets of this protocol from others under the same keys; the same in every process. */
const sessionIdContext = 'f';
const ticketLifeSeconds = 86_400;

/** TLS 1.3 alone, a client certificate always, ALPN always. */
export function createTlsListener(option: TlsListenerOption): TlsListener {
  /** By the peer's address and port: TLSSocket does not say which socket it wraps. */
  const raws = new Map<string, Socket>();
  /** Addresses whose handshake is not over. */
  const handshaking = new Set<string>();
  /** Closed in mid-handshake and not yet reported, oldest first: node reports a failed verification on a socket that has lost its address. */
  const lost: string[] = [];
  let closing = false;

  let ticketKeys = Buffer.from(option.ticketKeys);

  const onSecure = (socket: TLSSocket): void => {
    const address = addressOf(socket);
    handshaking.delete(address);
    const raw = raws.get(address);
    const certificate = socket.getPeerX509Certificate();
    if (raw === undefined || closing) {
      socket.destroy();
    } else if (socket.alpnProtocol !== alpnProtocol) {
      // A peer without ALPN passes the handshake.
      socket.destroy();
      option.onRefused('alpn', address, 'no protocol named');
    } else if (!socket.authorized || certificate === undefined) {
      socket.destroy();
      option.onRefused('unknown-authority', address, String(socket.authorizationError ?? 'no certificate'));
    } else {
      option.onStream(new TlsStream(socket, raw), certificate, socket.isSessionReused());
    }
  };

  const onClientError = (error: Error, socket: TLSSocket): void => {
    const address = socket.remoteAddress === undefined ? (lost.shift() ?? 'unknown') : addressOf(socket);
    handshaking.delete(address);
    const { reason, detail } = refusalOf(error, socket);
    socket.destroy(); // after a timeout node leaves it open
    option.onRefused(reason, address, detail);
  };

  /** It listens nowhere: it is handed sockets. One that is replaced goes on with those that it was given. */
  const createServer = ({ keyPem, certificatePem, authorityPem, hasForeignAuthority = false }: TlsMaterial): Server =>
    createTlsServer({
      key: keyPem,
      cert: withIssuer(certificatePem, authorityPem),
      ca: authorityPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ...listenerCryptography(option.keyExchange, hasForeignAuthority),
      ALPNProtocols: [alpnProtocol],
      handshakeTimeout: option.handshakeTimeoutMs,
      ticketKeys,
      sessionTimeout: ticketLifeSeconds,
      sessionIdContext,
      honorCipherOrder: false,
    })
      .on('secureConnection', onSecure)
      .on('tlsClientError', onClientError);

  let tls = createServer(option);

  const tcp = createTcpServer({ noDelay: true }, (raw) => {
    const address = addressOf(raw);
    if (raws.size >= option.maxConnections || handshaking.size >= option.maxHandshakes) {
      raw.resetAndDestroy();
      option.onRefused('overloaded', address, `${raws.size} connections, ${handshaking.size} handshakes`);
      return;
    }
    raws.set(address, raw);
    handshaking.add(address);
    raw.on('close', () => {
      raws.delete(address);
      if (handshaking.delete(address)) lost.push(address);
      if (lost.length > option.maxHandshakes) lost.shift();
    });
    tls.emit('connection', raw);
  });

  return {
    listen: ({ host, port, reusePort }) =>
      new Promise((resolve, reject) => {
        tcp.once('error', reject);
        tcp.listen({ host, port, reusePort, backlog: 4096 }, () => {
          tcp.removeListener('error', reject);
          // Out of file descriptors and the like: the peer tries again.
          tcp.on('error', (error) => option.onRefused('overloaded', 'unknown', error.message));
          resolve((tcp.address() as AddressInfo).port);
        });
      }),
    get connections() {
      return raws.size;
    },
    setTicketKeys(keys) {
      ticketKeys = Buffer.from(keys);
      tls.setTicketKeys(ticketKeys);
    },
    setMaterial(material) {
      tls = createServer(material);
    },
    close() {
      closing = true;
      tcp.close();
    },
  };
}

function refusalOf(error: Error, socket: TLSSocket): { reason: RefusalReason; detail: string } {
  const code = systemErrorCode(error) ?? '';
  // The socket of a peer that failed verification is destroyed by node: what is left is a reset and this field.
  const verdict: unknown = socket.authorizationError;
  if (verdict) {
    const detail = typeof verdict === 'string' ? verdict : verdict instanceof Error ? verdict.message : 'not verified';
    return { reason: detail === 'CERT_HAS_EXPIRED' ? 'expired-certificate' : 'unknown-authority', detail };
  }
  return { reason: refusalCodes[code] ?? (code.startsWith('ERR_SSL') ? 'handshake-failed' : 'hung-up'), detail: code };
}

const refusalCodes: Readonly<Record<string, RefusalReason>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no-certificate',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'alpn',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls-version',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'handshake-timeout',
  ERR_SSL_HTTP_REQUEST: 'not-tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not-tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'not-tls',
  ERR_SSL_RECORD_LAYER_FAILURE: 'not-tls',
};
