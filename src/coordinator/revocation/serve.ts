/**
 * The revocation list by plain HTTP, for relying parties: they fetch it before they can check anybody's certificate,
 * and it is signed itself. A few paths, GET and HEAD, bytes that lie ready; nothing of a request is read but its line and
 * headers, within bounds.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { ListPublisher, PublishedLists } from './publish.ts';

const maxConnections = 256;
const maxHeaderBytes = 8 * 1024;
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** A slow reader holds no socket longer. */
const answerTimeoutMs = 30_000;
/** How long caches may keep it: a revocation is seen at most so much later. */
const maxAgeSeconds = 300;

interface Form {
  type: string;
  bytes: Buffer | string;
}

/** `/crl.pem` has all lists, `/crl.der` that of the authority that signs now, `/<id>.crl` that of any, as DER. */
function formOf(path: string, { lists }: PublishedLists): Form | undefined {
  if (path === '/crl.pem') return { type: 'application/x-pem-file', bytes: lists.map(({ pem }) => pem).join('') };
  const list = path === '/crl.der' ? lists[0] : lists.find(({ authority }) => path === `/${authority}.crl`);
  return list === undefined ? undefined : { type: 'application/pkix-crl', bytes: list.der };
}

export interface ListServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveRevocationList(
  publisher: ListPublisher,
  listen: { host: string; port: number },
  log: Log,
): Promise<ListServer> {
  // Not a static import: an ESM facade of node:http loads fetch as well (30 ms of every start).
  const server = process.getBuiltinModule('node:http').createServer({
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
  if (method !== 'GET' && method !== 'HEAD') {
    return void response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end();
  }
  const published = await publisher.current();
  const form = formOf(url.split('?')[0] ?? '', published);
  if (form === undefined) return void response.writeHead(404, { connection: 'close' }).end();
  const headers = {
    etag: published.etag,
    'last-modified': new Date(published.madeAtMs).toUTCString(),
    'cache-control': `public, max-age=${maxAgeSeconds}`,
  };
  if (request.headers['if-none-match'] === published.etag) return void response.writeHead(304, headers).end();
  const { type, bytes } = form;
  response.writeHead(200, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(bytes) });
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
