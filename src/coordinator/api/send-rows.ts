import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asApiError } from './error-reply.ts';

/**
 * Answers with NDJSON rows for as long as they come; the head leaves at once, a row as soon as it is there. Stops the
 * source when the reader goes away, may no longer read, or the API closes. An error in mid-stream is the last row:
 * `{"error": …}`.
 */
export async function sendRows(
  request: FastifyRequest,
  reply: FastifyReply,
  closing: AbortSignal,
  open: (signal: AbortSignal) => AsyncGenerator | Promise<AsyncGenerator>,
): Promise<void> {
  const gone = new AbortController();
  request.raw.once('close', () => gone.abort());
  const { ended } = request;
  const signal = AbortSignal.any([gone.signal, closing, ...(ended === undefined ? [] : [ended])]);
  const rows = await open(signal); // throws before the head leaves: then it is an ordinary error
  reply.hijack();
  const { raw } = reply;
  raw.once('close', () => gone.abort());
  raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  raw.flushHeaders();
  try {
    for await (const row of rows) {
      if (signal.aborted) break;
      if (!raw.write(`${JSON.stringify(row)}\n`)) await once(raw, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) raw.write(`${JSON.stringify({ error: asApiError(error).toJSON() })}\n`);
  }
  if (ended?.aborted) raw.write(`${JSON.stringify({ error: asApiError(ended.reason).toJSON() })}\n`);
  raw.end();
}
