import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Log } from '../../log.ts';
import { withIssuer } from '../../transport/certificate-chain.ts';
import { asApiError, statusOf } from '../api/error-reply.ts';
import { trustedAuthorities } from '../core/authority-operation.ts';
import type { ServiceContext } from '../service/context.ts';
import { answerEst, type EstAnswer } from './est-operation.ts';

export interface EstOption {
  context: ServiceContext;
  listen: { host: string; port: number };
  log: Log;
}

export interface Est {
  readonly port: number;
  close(): Promise<void>;
}

const maxConnections = 256;
const maxBodyBytes = 32 * 1024;
const handshakeTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;

/**
 * A device that has no certificate yet proves itself by a token, so none is demanded of it; one that shows a certificate
 * must show one that chains to our authorities: any other ends the connection before a byte of HTTP is read.
 */
export async function startEst({ context, listen, log }: EstOption): Promise<Est> {
  const { core, authorities } = context;
  const server = createServer({
    ...certificatesOf(context),
    requestCert: true,
    rejectUnauthorized: false, // judged in secureConnection: only "none at all" goes on without one
    minVersion: 'TLSv1.3',
    handshakeTimeout: handshakeTimeoutMs,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 8 * 1024,
  });
  const refresh = (): void => server.setSecureContext({ ...certificatesOf(context), minVersion: 'TLSv1.3' });
  const unfollow = [
    authorities.onCertificate(refresh),
    core.subscribe(({ kind }) => (kind === 'authority' ? refresh() : undefined)),
  ];
  server.maxConnections = maxConnections;
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (socket.authorized || socket.getPeerX509Certificate() === undefined) return;
    log.warn(
      { address: socket.remoteAddress, error: String(socket.authorizationError) },
      'enrollment: certificate refused',
    );
    socket.destroy();
  });
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    log.debug({ address: socket.remoteAddress, error: error.message }, 'enrollment: handshake failed');
    socket.destroy();
  });
  server.on('request', (request, response) => {
    void serve(context, request, response, log);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(cause, listen)));
    server.listen(listen, () => resolve((server.address() as AddressInfo).port));
  });
  server.removeAllListeners('error');
  server.on('error', (error) => log.error({ err: error }, 'enrollment listener'));
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        for (const stop of unfollow) stop();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The coordinator's own pair, and the authorities of this fleet that a device's certificate may chain to. */
function certificatesOf({ authorities, core }: ServiceContext): { key: string; cert: string; ca: string } {
  const { keyPem, certificatePem } = authorities.own;
  const issuing = trustedAuthorities(core.state).filter(({ registration }) => registration === undefined);
  const ca = issuing.map(({ pem }) => pem).join('') + authorities.rootPem;
  return { key: keyPem, cert: withIssuer(certificatePem, ca), ca };
}

async function serve(
  context: ServiceContext,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  const { method = '', url = '' } = request;
  const socket = request.socket as TLSSocket;
  const address = `${socket.remoteAddress}:${socket.remotePort}`;
  let answer: EstAnswer;
  try {
    const body = await readBody(request);
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    const { authorization } = request.headers;
    answer = await answerEst(context, { method, path: url.split('?')[0]!, body, authorization, certificate, address });
  } catch (thrown) {
    const error = asApiError(thrown);
    if (error.fault === 'ours') log.error({ err: thrown, path: url }, 'an enrollment failed');
    else log.info({ address, code: error.code, seen: error.detail.seen }, 'enrollment refused');
    answer = errorAnswer(error);
  }
  if (response.destroyed) return;
  response.writeHead(answer.status, { ...answer.headers, connection: 'close' });
  response.end(answer.body);
}

function errorAnswer(error: FlotillaError): EstAnswer {
  const unauthorized = error.code === 'enrollment-unauthorized';
  return {
    status: unauthorized ? 401 : error.fault === 'undecided' ? 503 : statusOf(error),
    headers: {
      'content-type': 'application/json',
      ...(error.fault === 'undecided' ? { 'retry-after': '30' } : {}),
      ...(unauthorized ? { 'www-authenticate': 'Basic realm="flotilla enrollment"' } : {}),
    },
    body: `${JSON.stringify({ error: error.toJSON() })}\n`,
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) {
      throw new FlotillaError('usage', 'est-body-too-large', 'the body is too large for a request', {
        expected: `at most ${maxBodyBytes} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('latin1');
}

function listenError(cause: Error, { host, port }: EstOption['listen']): FlotillaError {
  return new FlotillaError('usage', 'enrollment-listen', `the enrollment listener can't use ${host}:${port}`, {
    seen: systemErrorCode(cause) ?? cause.message,
    suggestion: 'end what listens there, or set another enrollment.listen.port in coordinator.yaml',
    cause,
  });
}
