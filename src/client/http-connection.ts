import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { FlotillaError, systemErrorCode, type ErrorDocument } from '../error.ts';

const chunkBytes = 256 * 1024;

export type Query = Record<string, string | number | boolean | undefined>;

/** HTTP/JSON over the coordinator's unix socket. */
export class HttpConnection {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#document('GET', path, query);
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
    const { sent, reply } = this.#open('PUT', path, query, {
      'content-type': 'application/octet-stream',
      'content-length': status.size,
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
    // The coordinator may refuse in mid-body: its reply says more than the broken pipe.
    pipeline(body, sent).catch(() => {});
    try {
      return await readDocument(await reply);
    } catch (error) {
      throw broken ?? error;
    }
  }

  /** Rows of an NDJSON stream, until it ends or `signal` aborts. */
  async *rows<T>(path: string, query: Query, signal?: AbortSignal): AsyncGenerator<T> {
    const { sent, reply } = this.#open('GET', path, query, {}, signal);
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
      throw unreachable(this.#socketPath, error);
    }
  }

  async #document<T>(method: string, path: string, query: Query, body?: string): Promise<T> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const { sent, reply } = this.#open(method, path, query, headers);
    sent.end(body);
    return readDocument(await reply);
  }

  #open(method: string, path: string, query: Query, headers: Record<string, string | number>, signal?: AbortSignal) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    const search = parameters.size > 0 ? `?${parameters.toString()}` : '';
    // Not a static import: an ESM facade of node:http reads its lazy getters and so loads fetch and HTTP/2 (30 ms).
    const sent = process.getBuiltinModule('node:http').request({
      socketPath: this.#socketPath,
      method,
      path: `${path}${search}`,
      headers,
      ...(signal ? { signal } : {}),
    });
    const reply = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.once('error', (error) => reject(unreachable(this.#socketPath, error)));
    });
    return { sent, reply };
  }
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
  throw FlotillaError.fromJSON((document as { error: ErrorDocument }).error);
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

function unreachable(socketPath: string, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  if (code === 'EACCES') {
    return new FlotillaError('forbidden', 'socket-forbidden', 'you may not talk to this coordinator', {
      seen: `no permission on ${socketPath}`,
      suggestion: 'run as the user who started the coordinator',
      cause,
    });
  }
  return new FlotillaError('unreachable', 'coordinator-unreachable', 'the coordinator does not answer', {
    seen: `${code ?? 'connection lost'} on ${socketPath}`,
    expected: 'a running coordinator',
    suggestion: 'flotilla coordinator start --detach',
    cause,
  });
}
