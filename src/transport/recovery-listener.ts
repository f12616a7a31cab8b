/**
 * The one listener that finishes a handshake with a peer whose certificate OpenSSL refuses. It has to: OpenSSL can't be
 * told to waive the end of a certificate's life and nothing else, and it names one error where a certificate has
 * several, so a stranger's expired certificate and ours look the same to it. What it refused is judged by our own code
 * (`judge`), before a byte of what the peer says is read, and a peer that passes can say one thing only.
 *
 * The handshake itself stays what it was: TLS 1.3, and the peer's signature over it by the key of the certificate that
 * it shows. Nothing is resumed here, because a resumed handshake proves no key.
 */
import { constants, randomBytes, type X509Certificate } from 'node:crypto';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { systemErrorCode } from '../error.ts';
import {
  decodeQuestion,
  encodeAnswer,
  maxQuestionBytes,
  recoveryAlpn,
  type RecoveryAnswer,
} from '../protocol/recovery.ts';
import { withIssuer } from './certificate-chain.ts';
import { listenerCryptography } from './cryptography.ts';
import { addressOf } from './tls-stream.ts';

/** PEM. */
export interface RecoveryIdentity {
  keyPem: string;
  certificatePem: string;
  /** What a chain of a peer may end in, for OpenSSL's own verdict. */
  authorityPem: string;
}

export interface RecoveryListenerOption<Peer> extends RecoveryIdentity {
  /** More are dropped before a byte of TLS is computed. */
  maxConnections: number;
  /** From the accept to the question's last byte. */
  questionTimeoutMs: number;
  /** May this address make one more connection? Asked before TLS. */
  admit(address: string): boolean;
  /** Who the peer is, or what is wrong with it; `verdict` is OpenSSL's, null: it found nothing. */
  judge(certificate: X509Certificate, verdict: string | null): JudgedPeer<Peer>;
  ask(peer: Peer, csr: Uint8Array, address: string): Promise<RecoveryAnswer>;
  onRefused(reason: string, address: string, detail?: string): void;
}

export type JudgedPeer<Peer> = { peer: Peer } | { answer: RecoveryAnswer; reason: string; detail?: string };

export interface RecoveryListener {
  listen(address: { host: string; port: number }): Promise<number>;
  /** For the handshakes from now on. */
  setIdentity(identity: RecoveryIdentity): void;
  close(): void;
}

/** An answer that the peer does not take within this is lost. */
const goodbyeMs = 2_000;
/** Answers that the core is still to give. */
const answerTimeoutMs = 10_000;

export function createRecoveryListener<Peer>(option: RecoveryListenerOption<Peer>): RecoveryListener {
  const open = new Set<Socket>();
  const secure = ({ keyPem, certificatePem, authorityPem }: RecoveryIdentity) => ({
    key: keyPem,
    cert: withIssuer(certificatePem, authorityPem),
    ca: authorityPem,
    minVersion: 'TLSv1.3' as const,
    ...listenerCryptography('classic', false),
    secureOptions: constants.SSL_OP_NO_TICKET,
    ticketKeys: randomBytes(48),
  });
  const tls = createTlsServer({
    ...secure(option),
    requestCert: true,
    rejectUnauthorized: false, // see above: `judge` decides, and this port can do nothing but answer one request
    ALPNProtocols: [recoveryAlpn],
    handshakeTimeout: option.questionTimeoutMs,
  });
  tls.on('secureConnection', (socket: TLSSocket) => {
    const address = addressOf(socket);
    socket.on('error', () => undefined); // its end is told by `close`
    const refuse = (reason: string, detail?: string): void => {
      option.onRefused(reason, address, detail);
      socket.destroy();
    };
    // Undefined when the peer showed none; node's types say it is always there.
    const certificate = socket.getPeerX509Certificate();
    if (socket.alpnProtocol !== recoveryAlpn) return refuse('alpn');
    if (certificate === undefined) return refuse('no-certificate');
    if (socket.isSessionReused()) return refuse('resumed');
    const verdict = option.judge(certificate, socket.authorized ? null : verdictOf(socket));
    if ('answer' in verdict) {
      option.onRefused(verdict.reason, address, verdict.detail);
      return answer(socket, verdict.answer);
    }
    converse(socket, address, verdict.peer);
  });
  tls.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    option.onRefused('handshake-failed', addressOf(socket), systemErrorCode(error) ?? error.message);
    socket.destroy();
  });

  /** One question, one answer. */
  const converse = (socket: TLSSocket, address: string, peer: Peer): void => {
    let heard = Buffer.alloc(0);
    let asked = false;
    const timer = setTimeout(() => {
      option.onRefused('question-timeout', address);
      socket.destroy();
    }, option.questionTimeoutMs);
    socket.on('close', () => clearTimeout(timer));
    socket.on('data', (chunk) => {
      if (asked || heard.length + chunk.length > maxQuestionBytes + 2) {
        option.onRefused('question-too-long', address);
        socket.destroy();
        return;
      }
      heard = Buffer.concat([heard, chunk]);
      try {
        const csr = decodeQuestion(heard);
        if (csr === undefined) return;
        asked = true;
        clearTimeout(timer);
        option.ask(peer, csr, address).then(
          (given) => answer(socket, given),
          () => answer(socket, { kind: 'later', retryAfterSeconds: 60 }),
        );
      } catch (error) {
        option.onRefused('question-malformed', address, (error as Error).message);
        socket.destroy();
      }
    });
  };

  const tcp = createTcpServer({ noDelay: true }, (raw) => {
    const address = addressOf(raw);
    if (open.size >= option.maxConnections || !option.admit(raw.remoteAddress ?? 'unknown')) {
      raw.resetAndDestroy();
      option.onRefused('overloaded', address);
      return;
    }
    open.add(raw);
    // Whatever state it is in: a peer that drips bytes holds its place for so long and no longer.
    const limit = setTimeout(() => raw.destroy(), option.questionTimeoutMs + answerTimeoutMs + goodbyeMs);
    raw.on('close', () => {
      clearTimeout(limit);
      open.delete(raw);
    });
    raw.on('error', () => undefined);
    tls.emit('connection', raw);
  });

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        tcp.once('error', reject);
        tcp.listen({ host, port }, () => {
          tcp.removeListener('error', reject);
          tcp.on('error', (error) => option.onRefused('overloaded', 'unknown', error.message));
          resolve((tcp.address() as AddressInfo).port);
        });
      }),
    setIdentity: (identity) => tls.setSecureContext(secure(identity)),
    close() {
      tcp.close();
      for (const raw of open) raw.destroy();
    },
  };
}

function answer(socket: TLSSocket, said: RecoveryAnswer): void {
  if (socket.destroyed) return;
  socket.end(encodeAnswer(said));
  setTimeout(() => socket.destroy(), goodbyeMs).unref();
}

function verdictOf(socket: TLSSocket): string {
  const verdict: unknown = socket.authorizationError;
  if (typeof verdict === 'string') return verdict;
  return verdict instanceof Error ? (systemErrorCode(verdict) ?? verdict.message) : 'not verified';
}
