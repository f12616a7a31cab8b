import { FlotillaError } from '../error.ts';

const maxBytes = 2 * 1024 * 1024;

/** All of standard input as text. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new FlotillaError('usage', 'input-too-large', 'standard input is too large for one event', {
        expected: `at most ${maxBytes} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
