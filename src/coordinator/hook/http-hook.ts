import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { hookFailure, maxAnswerBytes, readAnswer, type Hook } from './connect-hook.ts';

export interface HttpHookOption {
  /** https, or http to this machine alone. */
  url: string;
  /** PEM of the authorities that the server's certificate must chain to; the system's when left out. */
  caFile?: string;
  maxConcurrent: number;
}

/** Posts each question. 200 with an answer is the only yes; a redirection is not followed. */
export function createHttpHook({ url, caFile, maxConcurrent }: HttpHookOption): Hook<{ fleetId: string }> {
  const target = new URL(url);
  const connections = { keepAlive: true, maxSockets: maxConcurrent };
  const isSecure = target.protocol === 'https:';
  // Not a static import: an ESM facade of node:http loads fetch as well (30 ms of every start).
  const { Agent: HttpAgent, request: requestHttp } = process.getBuiltinModule('node:http');
  const agent = isSecure
    ? new HttpsAgent({ ...connections, ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }) })
    : new HttpAgent(connections);
  const send = isSecure ? requestHttps : requestHttp;
  return {
    async ask(question, signal) {
      const body = Buffer.from(JSON.stringify(question));
      const headers = { 'content-type': 'application/json', 'content-length': body.length, accept: 'application/json' };
      let answer: { status: number | undefined; text: string };
      try {
        answer = await new Promise((resolve, reject) => {
          const request = send(target, { method: 'POST', agent, headers, signal }, (response) => {
            const { statusCode: status } = response;
            readBody(response).then((text) => resolve({ status, text }), reject);
          });
          request.on('error', reject);
          request.end(body);
        });
      } catch (error) {
        if (signal.aborted) throw hookFailure('it took too long');
        throw error instanceof FlotillaError ? error : hookFailure(`no answer: ${reasonOf(error)}`, error);
      }
      if (answer.status !== 200) throw hookFailure(`HTTP status ${answer.status ?? '?'}`);
      return readAnswer(answer.text);
    },
  };
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw hookFailure(`it said more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(error: unknown): string {
  return systemErrorCode(error) ?? (error instanceof Error ? error.message : String(error));
}
