import { parseDocument } from 'yaml';
import { FlotillaError } from '../error.ts';
import { readInput } from './read-input.ts';
import { readStdin } from './read-stdin.ts';

const what = 'a document of settings, YAML or JSON';

/** A document of settings from a YAML or JSON file, or from stdin for `-`. Nothing that JSON can't hold passes. */
export async function readSettings(path: string): Promise<unknown> {
  const text = path === '-' ? await readStdin(what) : (await readInput(path, what)).toString('utf8');
  const document = parseDocument(text, { intAsBigInt: true, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const [place] = error.linePos ?? [];
    throw new FlotillaError('usage', 'config-malformed', 'this is neither YAML nor JSON', {
      seen: error.message.split('\n')[0] ?? error.code,
      ...(place === undefined
        ? {}
        : { position: { file: path === '-' ? 'stdin' : path, line: place.line, column: place.col } }),
      cause: error,
    });
  }
  return jsonValue(document.toJS(), '');
}

function jsonValue(value: unknown, at: string): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw unfit(at, String(value), 'a number below 2^53, or a text in quotes');
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw unfit(at, String(value), 'a number that JSON knows');
  if (value === undefined) throw unfit(at, 'nothing', 'a value');
  if (Array.isArray(value)) return value.map((item, n) => jsonValue(item, `${at}/${n}`));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, jsonValue(member, `${at}/${key}`)]));
}

function unfit(at: string, seen: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'config-malformed', `the value of ${at || 'the document'} can not be sent`, {
    seen,
    expected,
  });
}
