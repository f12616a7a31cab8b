import { FlotillaError } from '../error.ts';

const maxBytes = 2 * 1024 * 1024;

/** All of standard input as text; `what` says in errors what it should have been. */
export async function readStdin(what = 'one event'): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new FlotillaError('usage', 'input-too-large', `standard input is too large for ${what}`, {
        expected: `at most ${maxBytes} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
