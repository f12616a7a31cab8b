import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { FlotillaError } from '../error.ts';

/** Asks once, on the terminal, for a secret that exists. What is typed is not shown; the question goes to stderr. */
export async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new FlotillaError('usage', 'secret-not-given', 'a secret can only be typed on a terminal', {
      seen: question,
      suggestion: 'put it in a file of mode 0600 and name the file',
    });
  }
  using terminal = openSilently();
  return terminal.ask(question);
}

/**
 * Asks twice, on the terminal, for a new secret of at least `minBytes`; up to three times. What is typed is not shown;
 * the questions go to stderr. Ctrl-C ends the process as it does everywhere.
 */
export async function askNewSecret(what: string, minBytes: number): Promise<string> {
  using terminal = openSilently();
  for (let attempt = 0; attempt < 3; attempt++) {
    const secret = await terminal.ask(what);
    if (Buffer.byteLength(secret) < minBytes) process.stderr.write(`At least ${minBytes} characters, please.\n`);
    else if (secret === (await terminal.ask(`${what}, again`))) return secret;
    else process.stderr.write('These two differ.\n');
  }
  throw new FlotillaError('usage', 'secret-not-given', 'no passphrase was set in three attempts', {
    suggestion: 'put it in a file of mode 0600 and name the file',
  });
}

/** One interface for all answers: it reads ahead, and a second one would miss what was pasted. */
function openSilently(): { ask(question: string): Promise<string> } & Disposable {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  terminal.once('SIGINT', () => {
    terminal.close(); // gives the terminal its mode back
    process.kill(process.pid, 'SIGINT');
  });
  const lines = terminal[Symbol.asyncIterator]();
  return {
    async ask(question) {
      process.stderr.write(`${question}: `);
      const { value, done } = await lines.next();
      process.stderr.write('\n');
      if (!done) return value;
      throw new FlotillaError('usage', 'secret-not-given', 'the input ended before the passphrase was given');
    },
    [Symbol.dispose]: () => terminal.close(),
  };
}
