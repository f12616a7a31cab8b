/** What is wrong in a file that a person wrote, and the error that tells all of it at once. */
import { type ErrorDocument, FlotillaError, type Position } from '../error.ts';

export interface ConfigProblem {
  /** Dotted path of the key: `link.keepaliveSeconds`, `jobs.allow[2]`; empty for the whole document. */
  key: string;
  /** 1-based. */
  line: number;
  column: number;
  message: string;
  seen?: string;
  expected?: string;
  suggestion?: string;
}

/** Every problem of one file, in the order of the file. The first one is the error's own position. */
export class ConfigError extends FlotillaError {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, text: string, problems: readonly ConfigProblem[]) {
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const first = sorted[0] ?? { key: '', line: 1, column: 1, message: 'unknown problem' };
    const position: Position = { file, line: first.line, column: first.column };
    if (sorted.length <= 1) {
      const { seen, expected, suggestion } = first;
      super('usage', 'config-invalid', first.message, {
        position,
        ...excerptOf(text, first),
        ...(seen === undefined ? {} : { seen }),
        ...(expected === undefined ? {} : { expected }),
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    } else {
      super('usage', 'config-invalid', `${sorted.length} problems in this file`, {
        position,
        excerpt: sorted.map((problem) => `${file}:${formatProblem(problem)}`).join('\n'),
      });
    }
    this.name = 'ConfigError';
    this.file = file;
    this.problems = sorted;
  }

  override toJSON(): ErrorDocument & { problems: readonly ConfigProblem[] } {
    return { ...super.toJSON(), problems: this.problems };
  }
}

/** `line:column: message (seen …; expected …; try …)`, on one line. */
export function formatProblem({ line, column, message, seen, expected, suggestion }: ConfigProblem): string {
  const more = [
    seen === undefined ? undefined : `seen ${seen}`,
    expected === undefined ? undefined : `expected ${expected}`,
    suggestion === undefined ? undefined : `try: ${suggestion}`,
  ].filter((part) => part !== undefined);
  return `${line}:${column}: ${message}${more.length > 0 ? ` (${more.join('; ')})` : ''}`;
}

/** The source line and a caret below it; nothing for an empty line (the end of a file that ends too early). */
function excerptOf(text: string, { line, column }: ConfigProblem): { excerpt?: string } {
  const source = (text.split(/\r?\n/)[line - 1] ?? '').replaceAll('\t', ' ').slice(0, 160);
  if (source.trim() === '') return {};
  return { excerpt: `${source}\n${' '.repeat(Math.min(column - 1, source.length))}^` };
}
