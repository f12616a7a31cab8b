/**
 * The revocation list by plain HTTP, for relying parties: they fetch it before they can check anybody's certificate,
 * and it is signed itself. Two paths, GET and HEAD, bytes that lie ready; nothing of a request is read but its line and
 * headers, within bounds.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { ListPublisher, PublishedList } from './publish.ts';

const maxConnections = 256;
const maxHeaderBytes = 8 * 1024;
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** A slow reader holds no socket longer. */
const answerTimeoutMs = 30_000;
/** How long caches may keep it: a revocation is seen at most so much later. */
const maxAgeSeconds = 300;

const forms: Readonly<Record<string, { type: string; bytes(list: PublishedList): Buffer | string }>> = {
  '/crl.der': { type: 'application/pkix-crl', bytes: ({ der }) => der },
  '/crl.pem': { type: 'application/x-pem-file', bytes: ({ pem }) => pem },
};

export interface ListServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveRevocationList(
  publisher: ListPublisher,
  listen: { host: string; port: number },
  log: Log,
): Promise<ListServer> {
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: headersTimeoutMs,
  });
  server.maxConnections = maxConnections;
  server.setTimeout(answerTimeoutMs);
  server.on('request', (request, response) => {
    answer(publisher, request, response).catch((error: unknown) => {
      log.error({ err: error }, 'the revocation list could not be served');
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { connection: 'close' }).end();
    });
  });
  await listenOn(server, listen);
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

async function answer(publisher: ListPublisher, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '' } = request;
  const form = forms[url.split('?')[0] ?? ''];
  if (form === undefined) return void response.writeHead(404, { connection: 'close' }).end();
  if (method !== 'GET' && method !== 'HEAD') {
    return void response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end();
  }
  const list = await publisher.current();
  const headers = {
    etag: list.etag,
    'last-modified': new Date(list.thisUpdateMs).toUTCString(),
    'cache-control': `public, max-age=${maxAgeSeconds}`,
  };
  if (request.headers['if-none-match'] === list.etag) return void response.writeHead(304, headers).end();
  const bytes = form.bytes(list);
  response.writeHead(200, { ...headers, 'content-type': form.type, 'content-length': Buffer.byteLength(bytes) });
  response.end(method === 'HEAD' ? undefined : bytes);
}

async function listenOn(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new FlotillaError('usage', 'crl-listen', `the revocation list can't be served on ${host}:${port}`, {
      seen: systemErrorCode(cause) ?? String(cause),
      suggestion: 'set another certificates.crl.listen in coordinator.yaml, or leave it out',
      cause,
    });
  }
}
