import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Clock } from '../../clock.ts';
import { systemErrorCode } from '../../error.ts';
import { NotReturned, type Returner } from './returner.ts';

export interface HttpReturnerOption {
  /** https, or http to this machine alone. */
  url: string;
  secret: Uint8Array;
  /** PEM of the authorities that the server's certificate must chain to; the system's when left out. */
  caFile?: string | undefined;
  clock: Clock;
}

/** Of these a later attempt may know better; any other answer of 4xx is the other side's last word. */
const passing = new Set([408, 425, 429]);

/**
 * Posts each result. `Flotilla-Signature: t=<ms>,v1=<hex>` is HMAC-SHA256 over `<ms>.<body>` with the shared key: the
 * receiver compares it in constant time and refuses what is too old. A redirection is not followed.
 */
export function createHttpReturner({ url, secret, caFile, clock }: HttpReturnerOption): Returner {
  const target = new URL(url);
  const isSecure = target.protocol === 'https:';
  // Not a static import: an ESM facade of node:http loads fetch as well (30 ms of every start).
  const { Agent: HttpAgent, request: requestHttp } = process.getBuiltinModule('node:http');
  const agent = isSecure
    ? new HttpsAgent({ keepAlive: true, ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }) })
    : new HttpAgent({ keepAlive: true });
  const send = isSecure ? requestHttps : requestHttp;
  return {
    async deliver(result, signal) {
      const body = Buffer.from(JSON.stringify(result));
      const headers = {
        'content-type': 'application/json',
        'content-length': body.length,
        'idempotency-key': result.idempotencyKey,
        'flotilla-signature': sign(secret, clock.nowMs(), body),
      };
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const request = send(target, { method: 'POST', agent, headers, signal }, (response) => {
          response.on('error', reject);
          response.resume(); // what it says is not read
          response.on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject);
        request.end(body);
      }).catch((error: unknown) => {
        const why = signal.aborted ? 'it took too long' : (systemErrorCode(error) ?? String(error));
        throw new NotReturned(`no answer: ${why}`, { retry: true });
      });
      if (status !== undefined && status >= 200 && status < 300) return;
      const isFinal = status !== undefined && status >= 300 && status < 500 && !passing.has(status);
      throw new NotReturned(`HTTP status ${status ?? '?'}`, { retry: !isFinal });
    },
    close: () => agent.destroy(),
  };
}

export function sign(secret: Uint8Array, nowMs: number, body: Uint8Array): string {
  const mac = createHmac('sha256', secret).update(`${nowMs}.`).update(body).digest('hex');
  return `t=${nowMs},v1=${mac}`;
}
