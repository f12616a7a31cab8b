import { connect as connectTcp } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext } from 'node:tls';
import { FlotillaError, systemErrorCode } from '../error.ts';
import {
  decodeAnswer,
  encodeQuestion,
  maxAnswerBytes,
  recoveryAlpn,
  type RecoveryAnswer,
} from '../protocol/recovery.ts';
import { rootsOf } from './certificate-chain.ts';
import { dialerCryptography } from './cryptography.ts';

export interface RecoveryDialOption {
  host: string;
  port: number;
  /** The name that the coordinator's certificate must carry. */
  serverName: string;
  /** Of the certificate that has expired. */
  keyPem: string;
  certificatePem: string;
  authorityPem: string;
  /** PKCS#10, DER, for the new key. */
  csr: Uint8Array;
  /** For all of it. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Asks once. Rejects when the other end is not the coordinator, says nothing, or says what is no answer. */
export function dialRecovery(option: RecoveryDialOption): Promise<RecoveryAnswer> {
  const { host, port, serverName, keyPem, certificatePem, authorityPem, csr, timeoutMs, signal } = option;
  const { promise, resolve, reject } = Promise.withResolvers<RecoveryAnswer>();
  const raw = connectTcp({ host, port, noDelay: true });
  const socket = connectTls({
    socket: raw,
    servername: '',
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
    secureContext: createSecureContext({
      key: keyPem,
      cert: certificatePem,
      ca: rootsOf(authorityPem),
      minVersion: 'TLSv1.3',
      ...dialerCryptography(keyPem, 'classic'),
    }),
    rejectUnauthorized: true,
    ALPNProtocols: [recoveryAlpn],
  });
  const end = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    socket.destroy();
    raw.destroy();
  };
  const fail = (error: Error): void => {
    end();
    reject(
      new FlotillaError('failed', 'recovery-dial', `no answer on the recovery port: ${error.message}`, {
        seen: systemErrorCode(error) ?? error.message,
        cause: error,
      }),
    );
  };
  const abort = (): void => fail(new Error('stopped'));
  const timer = setTimeout(() => fail(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  const chunks: Buffer[] = [];
  let length = 0;
  raw.on('error', fail);
  socket.on('error', fail);
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol === recoveryAlpn) socket.write(encodeQuestion(csr));
    else fail(new Error('the other end does not speak flotilla-recovery/1'));
  });
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxAnswerBytes) fail(new Error(`an answer of more than ${maxAnswerBytes} bytes`));
  });
  socket.on('end', () => {
    try {
      const answer = decodeAnswer(Buffer.concat(chunks));
      end();
      resolve(answer);
    } catch (error) {
      fail(length === 0 ? new Error('closed without a word') : (error as Error));
    }
  });
  socket.on('close', () => fail(new Error('closed')));
  return promise;
}
