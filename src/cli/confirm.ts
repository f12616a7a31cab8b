import { createInterface } from 'node:readline/promises';
import { FlotillaError } from '../error.ts';

export interface Confirmation {
  /** What is about to happen, one or more lines. */
  warning: string;
  /** What the person must type. */
  answer: string;
  /** --yes was given. */
  yes: boolean;
  /** --json: never asks. */
  json: boolean;
}

/** Asks a person on a terminal to type `answer`; refuses everywhere else unless `yes`. The question goes to stderr. */
export async function confirmTyped({ warning, answer, yes, json }: Confirmation): Promise<void> {
  if (yes) return;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) {
    throw new FlotillaError('refused', 'confirmation-needed', `${warning.split('\n')[0]}: not without a confirmation`, {
      suggestion: 'add --yes',
    });
  }
  const typed = await askLine(`${warning}\nType ${answer} to go on: `);
  if (typed !== answer) {
    throw new FlotillaError('refused', 'confirmation-declined', 'nothing was done', {
      seen: JSON.stringify(typed),
      expected: JSON.stringify(answer),
    });
  }
}

/** One line from the terminal, trimmed; '' at the end of input or on Ctrl-C. */
export async function askLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } catch {
    return '';
  } finally {
    lines.close();
  }
}
