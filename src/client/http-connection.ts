import { open } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { FlotillaError, systemErrorCode, type ErrorDocument } from '../error.ts';
import { localFailure, remoteFailure, type Progress } from './connection-error.ts';
import type { RemoteEndpoint } from './remote-endpoint.ts';

const chunkBytes = 256 * 1024;

export type Query = Record<string, string | number | boolean | undefined>;

/** How long the way to a coordinator elsewhere may take, until it has proved who it is. */
const connectTimeoutMs = 15_000;
/** A coordinator that has too much to do says for how long; so often, and so long, it is waited for. */
const maxAttempts = 6;
const maxRetryAfterMs = 5_000;
/** A stream over a network that has gone ends by this, not never. */
const keepAliveMs = 30_000;

/** HTTP/JSON over the coordinator's unix socket (its path), or over TLS from elsewhere. */
export class HttpConnection {
  readonly #endpoint: string | RemoteEndpoint;

  constructor(endpoint: string | RemoteEndpoint) {
    this.#endpoint = endpoint;
  }

  get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return this.#document('GET', path, query, undefined, signal);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#document('POST', path, {}, JSON.stringify(body));
  }

  delete<T>(path: string): Promise<T> {
    return this.#document('DELETE', path, {});
  }

  /** PUTs a file as the body without holding it in memory. */
  async upload<T>(path: string, file: string, query: Query): Promise<T> {
    await using handle = await open(file).catch((cause: unknown) => {
      throw unreadable(file, cause);
    });
    const status = await handle.stat();
    if (!status.isFile()) throw unreadable(file, new Error('not a regular file'));
    const { sent, document } = this.#open('PUT', path, query, {
      'content-type': 'application/octet-stream',
      'content-length': status.size,
      // Who may not publish is told before the bundle has travelled.
      expect: '100-continue',
    });
    let broken: FlotillaError | undefined;
    async function* body(): AsyncGenerator<Uint8Array> {
      for (;;) {
        const { buffer, bytesRead } = await handle
          .read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes)
          .catch((cause) => {
            throw (broken = unreadable(file, cause));
          });
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    }
    // The coordinator may refuse before the body or in the middle: its reply says more than the broken pipe.
    sent.once('continue', () => void pipeline(body, sent).catch(() => {}));
    sent.flushHeaders();
    try {
      return await document<T>();
    } catch (error) {
      throw broken ?? error;
    } finally {
      if (!sent.writableFinished) sent.destroy();
    }
  }

  /** Rows of an NDJSON stream, until it ends or `signal` aborts. */
  async *rows<T>(path: string, query: Query, signal?: AbortSignal): AsyncGenerator<T> {
    const { sent, reply, failure } = this.#open('GET', path, query, {}, signal);
    sent.end();
    const answer = await reply;
    if (answer.statusCode !== 200) return void (await readDocument(answer));
    answer.setEncoding('utf8');
    let rest = '';
    try {
      for await (const chunk of answer) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield rowOf<T>(line);
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof FlotillaError) throw error;
      throw failure(error);
    }
  }

  async #document<T>(method: string, path: string, query: Query, body?: string, signal?: AbortSignal): Promise<T> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    for (let attempt = 1; ; attempt += 1) {
      const { sent, document } = this.#open(method, path, query, headers, signal);
      sent.end(body);
      try {
        return await document<T>();
      } catch (error) {
        // Nothing was done for it: the same request may be made again.
        const waitMs = error instanceof FlotillaError && attempt < maxAttempts ? retryAfterMs(error) : undefined;
        if (waitMs === undefined) throw error;
        await delay(waitMs, undefined, signal === undefined ? {} : { signal });
      }
    }
  }

  #open(method: string, path: string, query: Query, headers: Record<string, string | number>, signal?: AbortSignal) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    const search = parameters.size > 0 ? `?${parameters.toString()}` : '';
    const sent = this.#request({ method, path: `${path}${search}`, headers, ...(signal ? { signal } : {}) });
    const progress: Progress = { trusted: false, answered: false };
    if (typeof this.#endpoint !== 'string') watchHandshake(sent, progress);
    const failure = (cause: unknown): FlotillaError =>
      typeof this.#endpoint === 'string'
        ? localFailure(this.#endpoint, cause)
        : remoteFailure(this.#endpoint, progress, cause);
    const reply = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', (answer: IncomingMessage) => {
        progress.answered = true;
        resolve(answer);
      });
      sent.once('error', (error) => reject(failure(error)));
    });
    const document = async <T>(): Promise<T> => {
      const answer = await reply;
      return readDocument<T>(answer).catch((error: unknown) => {
        throw error instanceof FlotillaError ? error : failure(error);
      });
    };
    return { sent, reply, document, failure };
  }

  #request(option: { method: string; path: string; headers: Record<string, string | number> }): ClientRequest {
    const endpoint = this.#endpoint;
    // Not a static import: an ESM facade of node:http reads its lazy getters and so loads fetch and HTTP/2 (30 ms).
    if (typeof endpoint === 'string') {
      return process.getBuiltinModule('node:http').request({ ...option, socketPath: endpoint });
    }
    const { host, port, serverName, authorityPem, credential } = endpoint;
    return process.getBuiltinModule('node:https').request({
      ...option,
      host,
      port,
      servername: serverName,
      ca: authorityPem,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
      ...(credential.kind === 'certificate' ? { cert: credential.certificatePem, key: credential.keyPem } : {}),
      headers: {
        ...option.headers,
        ...(credential.kind === 'token' ? { authorization: `Bearer ${credential.token}` } : {}),
      },
    });
  }
}

/** Notes when the other side has proved who it is, and ends a way that takes too long until then. */
function watchHandshake(sent: ClientRequest, progress: Progress): void {
  const late = setTimeout(() => {
    sent.destroy(Object.assign(new Error('no TLS connection in time'), { code: 'ETIMEDOUT' }));
  }, connectTimeoutMs);
  sent.once('close', () => clearTimeout(late));
  sent.once('socket', (socket) => {
    const trusted = (): void => {
      clearTimeout(late);
      progress.trusted = true;
      socket.setKeepAlive(true, keepAliveMs);
    };
    if ((socket as TLSSocket).authorized) trusted();
    else socket.once('secureConnect', trusted);
  });
}

async function readDocument<T>(answer: IncomingMessage): Promise<T> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new FlotillaError('ours', 'api-reply-malformed', 'the coordinator answered something that is not JSON', {
      seen: `${answer.statusCode} ${text.slice(0, 200)}`,
      cause,
    });
  }
  if (answer.statusCode === 200 || answer.statusCode === 201) return document as T;
  const error = FlotillaError.fromJSON((document as { error: ErrorDocument }).error);
  const seconds = Number(answer.headers['retry-after']);
  if (seconds > 0) retryAfter.set(error, seconds * 1000);
  throw error;
}

/** Beside the error, which is shown as the coordinator wrote it. */
const retryAfter = new WeakMap<FlotillaError, number>();

function retryAfterMs(error: FlotillaError): number | undefined {
  const waitMs = retryAfter.get(error);
  return waitMs !== undefined && waitMs <= maxRetryAfterMs ? waitMs : undefined;
}

function rowOf<T>(line: string): T {
  const row = JSON.parse(line) as T & { error?: ErrorDocument };
  if (typeof row === 'object' && row !== null && row.error) throw FlotillaError.fromJSON(row.error);
  return row;
}

function unreadable(file: string, cause: unknown): FlotillaError {
  return new FlotillaError('usage', 'file-unreadable', `${file} can't be read`, {
    seen: systemErrorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause)),
    suggestion: 'check the path',
    cause,
  });
}
