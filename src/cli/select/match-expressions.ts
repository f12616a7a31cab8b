import type { Readable, Writable } from 'node:stream';
import { LineSplitter } from '../../door/index.ts';
import { FlotillaError, type Position } from '../../error.ts';
import { writeText } from '../write-line.ts';
import type { SelectSource } from './select-source.ts';

/** What came of one expression. */
export type ExpressionRow =
  { expr: string; ids: string[] } | { expr: string; error: { code: string; message: string; position?: Position } };

/**
 * Tries each line of `input` and writes a row for it, in order, before it reads the next. A malformed one is a row like
 * any other.
 * @returns how many were malformed
 */
export async function matchExpressions(
  source: Pick<SelectSource, 'match'>,
  input: Readable,
  output: Writable,
  format: (row: ExpressionRow) => string,
): Promise<number> {
  let malformed = 0;
  for await (const expr of linesOf(input)) {
    const row = await rowOf(source, expr);
    if ('error' in row) malformed += 1;
    await writeText(output, `${format(row)}\n`);
  }
  return malformed;
}

/** Far more than a selector may have: what is refused should still be shown. */
const maxLineBytes = 64 * 1024;

async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const lines = new LineSplitter(maxLineBytes);
  const take = function* (chunk: Uint8Array): Generator<string> {
    lines.push(chunk);
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      if (line === 'too-long') throw tooLong();
      yield Buffer.from(line).toString().replace(/\r$/u, '');
    }
  };
  for await (const chunk of input) yield* take(chunk);
  if (lines.unfinishedBytes > 0) yield* take(Buffer.from('\n')); // the last line may lack its end
}

function tooLong(): FlotillaError {
  return new FlotillaError('usage', 'expression-too-long', 'a line is too long for a selector', {
    expected: `at most ${maxLineBytes} bytes`,
    suggestion: 'one selector a line',
  });
}

/** Whatever is not the expression's own fault ends the run. */
async function rowOf(source: Pick<SelectSource, 'match'>, expr: string): Promise<ExpressionRow> {
  try {
    return { expr, ids: (await source.match({ selector: expr })).ids };
  } catch (error) {
    if (!(error instanceof FlotillaError) || !error.code.startsWith('selector-')) throw error;
    const { code, message, detail } = error;
    return { expr, error: { code, message, ...(detail.position === undefined ? {} : { position: detail.position }) } };
  }
}
