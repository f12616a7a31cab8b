import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { FlotillaError } from '../error.ts';

/** Asks once, on the terminal, for a secret that exists. What is typed is not shown; the question goes to stderr. */
export async function askKnownSecret(what: string, instead: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new FlotillaError('usage', 'secret-not-given', `the ${what} is needed`, { suggestion: instead });
  }
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  terminal.once('SIGINT', () => {
    terminal.close(); // gives the terminal its mode back
    process.kill(process.pid, 'SIGINT');
  });
  try {
    process.stderr.write(`${what}: `);
    const { value, done } = await terminal[Symbol.asyncIterator]().next();
    process.stderr.write('\n');
    if (done !== true) return value;
    throw new FlotillaError('usage', 'secret-not-given', 'the input ended before the passphrase was given');
  } finally {
    terminal.close();
  }
}
