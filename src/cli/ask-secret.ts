import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { FlotillaError } from '../error.ts';

type Ask = (question: string) => Promise<string>;

/**
 * Asks twice, on the terminal, for a new secret of at least `minBytes`; up to three times. What is typed is not shown;
 * the questions go to stderr. Ctrl-C ends the process as it does everywhere.
 */
export async function askNewSecret(what: string, minBytes: number): Promise<string> {
  return withSilentTerminal(async (ask) => {
    for (let attempt = 0; attempt < 3; attempt++) {
      const secret = await ask(what);
      if (Buffer.byteLength(secret) < minBytes) process.stderr.write(`At least ${minBytes} characters, please.\n`);
      else if (secret === (await ask(`${what}, again`))) return secret;
      else process.stderr.write('These two differ.\n');
    }
    throw new FlotillaError('usage', 'secret-not-given', 'no passphrase was set in three attempts', {
      suggestion: 'put it in a file of mode 0600 and name the file',
    });
  });
}

/** Asks once for a secret that exists; as silently. */
export function askSecret(what: string): Promise<string> {
  return withSilentTerminal((ask) => ask(what));
}

async function withSilentTerminal<T>(use: (ask: Ask) => Promise<T>): Promise<T> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  // One interface for all answers: it reads ahead, and a second one would miss what was pasted.
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  terminal.once('SIGINT', () => {
    terminal.close(); // gives the terminal its mode back
    process.kill(process.pid, 'SIGINT');
  });
  const lines = terminal[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    process.stderr.write(`${question}: `);
    const { value, done } = await lines.next();
    process.stderr.write('\n');
    if (!done) return value;
    throw new FlotillaError('usage', 'secret-not-given', 'the input ended before the passphrase was given');
  };
  try {
    return await use(ask);
  } finally {
    terminal.close();
  }
}
