/** Fields of measures as a person writes them: lengths of time, shares, ranges, selectors. */
import { check, either, type Field, number, text } from '../config/field.ts';
import { FlotillaError } from '../error.ts';
import { parseSelector } from '../selector/index.ts';
import type { Range, Stretch } from '../simulation/index.ts';
import { parseDuration } from './duration.ts';
import { parseStretch } from './stretch.ts';

/** Of a parser that throws: what it says stands at the place in the file. */
function parsed<T>(parse: (written: string, key: string) => T, expected: string): Field<T> {
  return (node, key, reading) => {
    let value: T | undefined;
    const field = either(
      (written) => typeof written === 'number',
      number({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      text({ expected, maxLength: 10_240 }),
    );
    const read = check(field, (written) => {
      try {
        value = parse(String(written), key);
        return undefined;
      } catch (error) {
        if (!(error instanceof FlotillaError)) throw error;
        return { message: `${key} is not valid`, seen: JSON.stringify(written), expected };
      }
    })(node, key, reading);
    return read === undefined ? undefined : value;
  };
}

export const durationField: Field<number> = parsed(
  (written, key): number => parseDuration(written, key),
  'a number of seconds, or 90s, 5m, 1h30m, 2d',
);

export const stretchField: Field<Stretch> = parsed(
  parseStretch,
  '5m, 30s..5m (anything between), ~5m (on average) or forever',
);

/** `5%`, or 0.05. */
export const shareField: Field<number> = parsed((written) => {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(written) ?? [];
  const share = digits === undefined ? NaN : Number(digits) / (percent === '%' ? 100 : 1);
  if (share >= 0 && share <= 1) return share;
  throw new FlotillaError('usage', 'share-malformed', 'this is no share');
}, '0% to 100%');

export const selectorField: Field<string> = (node, key, reading) =>
  check(text({ expected: 'a selector', maxLength: 10_240 }), (written) => {
    try {
      parseSelector(written, { expression: () => undefined, names: () => [] });
      return undefined;
    } catch (error) {
      if (!(error instanceof FlotillaError) || error.code === 'selector-unknown-group') return undefined;
      const { seen = written, expected, suggestion } = error.detail;
      return {
        message: `${key}: ${error.message}`,
        seen,
        ...(expected === undefined ? {} : { expected }),
        ...(suggestion === undefined ? {} : { suggestion }),
      };
    }
  })(node, key, reading);

/** `3`, `<=3`, `>=2`, `2..5`. */
export const countRangeField: Field<Range> = parsed((written) => rangeOf(written, Number), '3, <=3, >=2 or 2..5');

/** `<=6h`, `>=30m`, `1h..6h`. */
export const timeRangeField: Field<Range> = parsed(
  (written) => rangeOf(written, (part) => parseDuration(part, 'a range')),
  '<=6h, >=30m or 1h..6h',
);

function rangeOf(written: string, read: (part: string) => number): Range {
  const [, sign = '', from = '', to] = /^\s*([<>]=)?\s*([^.<>=]+?)\s*(?:\.\.\s*([^.<>=]+?))?\s*$/.exec(written) ?? [];
  const [min, max] = [valueOf(from, read), to === undefined ? undefined : valueOf(to, read)];
  if (max !== undefined && sign === '' && max >= min) return { min, max };
  if (max !== undefined) throw new FlotillaError('usage', 'range-malformed', 'this is no range');
  if (sign === '') return { min, max: min };
  return sign === '<=' ? { max: min } : { min };
}

function valueOf(part: string, read: (part: string) => number): number {
  const value = part === '' ? NaN : read(part);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new FlotillaError('usage', 'range-malformed', 'this is no range');
}
