import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { parseConfig } from '../../../src/firmware/config/parse.ts';
import type { Section } from '../../../src/firmware/config/section.ts';
import {
  configError,
  fromByteString,
  toByteString,
  type SourceText,
} from '../../../src/firmware/config/source-text.ts';
import { VariableSet } from '../../../src/firmware/config/variable.ts';

function source(text: string, name = 'fwup.conf'): SourceText {
  return { name, directory: '/', text: toByteString(text), origin: 'file' };
}

function parse(text: string, variables: Record<string, string> = {}, includes: Record<string, string> = {}): Section {
  return parseConfig(source(text), {
    variables: new VariableSet(variables),
    include: (path) => source(includes[path] ?? '', path),
    unknown: (name, kind, _section, place) => {
      throw configError(place, `no such ${kind} '${name}'`);
    },
  });
}

function errorOf(run: () => unknown): FlotillaError {
  try {
    run();
  } catch (error) {
    if (error instanceof FlotillaError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const product = (text: string, variables?: Record<string, string>): string | undefined =>
  parse(`meta-product = ${text}`, variables).text('meta-product');

describe('strings of the configuration language', () => {
  it.each([
    ['bare', 'a-b.c:d/e', 'a-b.c:d/e'],
    ['bare with slashes inside', 'http://x//y', 'http://x//y'],
    ['bare with a semicolon', '1;', '1;'],
    ['double-quoted with escapes', '"a\\tb\\101\\x42\\"\\\\\\q"', 'a\tbAB"\\q'],
    ['double-quoted over two lines', '"a\\\nb"', 'ab'],
    ['double-quoted with a hidden substitution', '"\\${A}"', '${A}'],
    ['single-quoted', `'it\\'s \${A} \\n'`, "it's ${A} \\n"],
  ])('%s', (_name, text, value) => {
    expect(product(text)).toBe(value);
  });

  it('keeps UTF-8 as bytes', () => {
    expect(fromByteString(product('"Brücke"')!)).toBe('Brücke');
  });

  it('substitutes variables, with a default only for unset ones', () => {
    expect(product('"${A}-${B}-${B:-x}-${E:-y}"', { A: '1', E: '' })).toBe('1--x-');
    expect(product('${A}', { A: 'a b' })).toBe('a b');
  });

  it('does not join a variable with what follows', () => {
    expect(errorOf(() => product('${A}x', { A: '1' })).message).toContain('no such');
  });
});

describe('definitions', () => {
  it('keeps the first define, the environment before it, and the last define!', () => {
    const root = parse(
      'define(A, 1) define(A, 2) define!(B, 1) define!(B, 2) define(C, own) define!(D, own)\nmeta-misc = "${A}${B}${C}${D}"',
      { C: 'env', D: 'env' },
    );
    expect(root.text('meta-misc')).toBe('12envown');
  });

  it('are positional', () => {
    expect(parse('meta-misc = "<${A}>" define(A, 1)').text('meta-misc')).toBe('<>');
  });

  it('evaluate', () => {
    expect(parse('define-eval(A, "2*3") define-eval!(A, "${A}+1") meta-misc = ${A}').text('meta-misc')).toBe('7');
  });
});

describe('structure', () => {
  it('reads an included text in place of the include', () => {
    const root = parse('include("a.conf") meta-version = ${V}', {}, { 'a.conf': 'define(V, 3) // end' });
    expect(root.text('meta-version')).toBe('3');
  });

  it('lets an include open what its includer closes', () => {
    const root = parse('include(a) } meta-version = 1', {}, { a: 'task t {' });
    expect(root.find('task', 't')).toBeDefined();
    expect(root.text('meta-version')).toBe('1');
  });

  it('refuses a text that includes itself', () => {
    expect(errorOf(() => parse('include(a)', {}, { a: 'include(a)' })).message).toContain('nested too deeply');
  });

  it('adds a second on-init to the first', () => {
    const calls = parse('task t { on-init { info(a) } on-init { info(b) } }').find('task', 't')!.find('on-init')!.calls;
    expect(calls.map(({ args }) => args[0])).toEqual(['a', 'b']);
  });

  it('accepts a trailing comma, += on lists, and a file that ends inside a section', () => {
    const root = parse('task t { reqlist = {a,} reqlist += {b, c} on-init { info(x,) }');
    expect(root.find('task', 't')!.value('reqlist')).toEqual(['a', 'b', 'c']);
  });

  it('takes the last of two values', () => {
    expect(parse('block-cache-size-mb = 1 block-cache-size-mb = 0x10').integer('block-cache-size-mb')).toBe(16);
  });
});

describe('errors', () => {
  it.each([
    ['bogus = 1', 'no such option', 1, 1],
    ['meta-product "x"', 'missing equal sign', 1, 14],
    ['# one\nmeta-product = a+b', "unexpected '+'", 2, 17],
    ['}', 'unexpected closing brace', 1, 1],
    ['task { }', 'missing title', 1, 6],
    ['task t info', 'missing opening brace', 1, 8],
    ['task t { } task t { }', 'found duplicate title', 1, 12],
    ['meta-product = # c\n x', 'unexpected a comment', 1, 16],
    ['define(A)', "'define' requires 2 parameters", 1, 1],
    ['define-eval(X, "1 +")', 'error evaluating', 1, 1],
    ['meta-product = "abc', 'not closed', 1, 16],
    ['meta-product = "Ä" x = 1', 'no such option', 1, 20],
    ['meta-product =', 'premature end of file', 1, 15],
    ['task t { on-init { info("a" "b") } }', 'syntax error in call', 1, 29],
    ['block-cache-size-mb = 12q', 'invalid integer', 1, 23],
    ['mbr m { partition 0 { boot = maybe } }', 'invalid boolean', 1, 30],
    ['meta-product += x', 'attempt to append', 1, 14],
    ['/* open', 'a comment that is not closed', 1, 1],
    ['meta-product = "\\777"', 'not a byte', 1, 17],
    ['task "a\\"b" { }', 'can not be read back', 1, 6],
  ])('%j: %s at %d:%d', (text, message, line, column) => {
    const error = errorOf(() => parse(text));
    expect(error.message).toContain(message);
    expect(error.code).toBe('firmware-config');
    expect(error.detail.position).toEqual({ file: 'fwup.conf', line, column });
    const caret = error.detail.excerpt!.split('\n')[1]!;
    expect(caret.length).toBe(column);
  });

  it('names the included file', () => {
    const error = errorOf(() => parse('include(a.conf)', {}, { 'a.conf': '\n  bogus = 1' }));
    expect(error.detail.position).toEqual({ file: 'a.conf', line: 2, column: 3 });
  });

  it('gives a section or a FlotillaError for any text', () => {
    const piece = fc.constantFrom('task', 'mbr', 'x', '{', '}', '(', ')', '=', '+=', ',', '"', "'", '${', '}', '#', '\n', '\\', 'include', 'define', '/*', 'on-init', '0'); // prettier-ignore
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join(' ')),
    );
    fc.assert(
      fc.property(text, (input) => {
        try {
          parse(input, {}, { x: 'meta-product = y' });
        } catch (error) {
          expect(error).toBeInstanceOf(FlotillaError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
