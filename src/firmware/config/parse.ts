import { evaluateExpression, parseCInteger } from './expression.ts';
import { Lexer, type Token } from './lexer.ts';
import { rootSpec, type OptionSpec, type SectionSpec } from './schema.ts';
import { Section, type Call, type ConfigValue } from './section.ts';
import { configError, fromByteString, type ByteString, type Place, type SourceText } from './source-text.ts';
import type { VariableSet } from './variable.ts';

/** What the parser asks of the outside; no file is read here. */
export interface ParseHost {
  readonly variables: VariableSet;
  /** `include(path)`: the text, or an error at `place`. */
  include(path: ByteString, place: Place): SourceText;
  /** Called as each section closes, so what a section names must stand before it. */
  sectionClosed?(section: Section, root: Section): void;
  /** A name that is not in the tables; return to skip it with its value, or throw. */
  unknown(name: ByteString, kind: 'option' | 'section' | 'call', section: Section, place: Place): void;
  /** Sections that the text's end left open: accepted, as fwup does. */
  unclosed?(section: Section, place: Place): void;
}

export function parseConfig(source: SourceText, host: ParseHost): Section {
  const root = new Section(rootSpec, '', { source, offset: 0 });
  new Parser(new Lexer(source, host.variables), host, root).body(root, 0);
  host.sectionClosed?.(root, root);
  return root;
}

const maxSectionDepth = 8; // the deepest known nesting is 3

class Parser {
  readonly #lexer: Lexer;
  readonly #host: ParseHost;
  readonly #root: Section;

  constructor(lexer: Lexer, host: ParseHost, root: Section) {
    this.#lexer = lexer;
    this.#host = host;
    this.#root = root;
  }

  body(section: Section, depth: number): void {
    for (;;) {
      const token = this.#lexer.next();
      switch (token.kind) {
        case 'comment':
          continue;
        case 'end':
          if (depth > 0) this.#host.unclosed?.(section, token.place);
          return;
        case 'punctuation':
          if (token.value === '}' && depth > 0) return;
          if (token.value === '}') throw configError(token.place, 'unexpected closing brace');
          throw configError(token.place, `unexpected '${token.value}'`, {
            expected: 'the name of an option or section',
          });
        case 'string':
          this.#item(token, section, depth);
      }
    }
  }

  #item(name: Token & { kind: 'string' }, section: Section, depth: number): void {
    const option = section.spec.options.find((candidate) => candidate.name === name.value);
    if (option) return this.#option(option, section, name.place);
    const nested = section.spec.sections.find((candidate) => candidate.kind === name.value);
    if (nested) return this.#section(nested, section, depth, name.place);
    const next = this.#lexer.next();
    if (next.kind === 'punctuation' && next.value === '(') return this.#call(name, section);
    this.#unknown(name, next, section);
  }

  // ---- options

  #option(option: OptionSpec, section: Section, place: Place): void {
    const sign = this.#lexer.next();
    const isList = option.type.endsWith('-list');
    if (sign.kind === 'punctuation' && sign.value === '+=') {
      if (!isList)
        throw configError(sign.place, `attempt to append to non-list option '${option.name}'`, { expected: '=' });
    } else if (sign.kind !== 'punctuation' || sign.value !== '=') {
      throw configError(sign.place, `missing equal sign after option '${option.name}'`, {
        seen: describe(sign),
        expected: `${option.name} = VALUE`,
      });
    }
    if (!isList) {
      const token = this.#string(`a value for '${option.name}'`);
      section.set(option.name, convert(option, token), place);
      return;
    }
    const before = sign.kind === 'punctuation' && sign.value === '+=' ? (section.value(option.name) ?? []) : [];
    const values = this.#list(option);
    section.set(option.name, [...(before as ConfigValue[]), ...values] as unknown as ConfigValue, place);
  }

  #list(option: OptionSpec): ConfigValue[] {
    const first = this.#lexer.next();
    if (first.kind === 'string') return [convert(option, first)];
    if (first.kind !== 'punctuation' || first.value !== '{') throw this.#unexpected(first, 'a value, or { values }');
    const values: ConfigValue[] = [];
    for (;;) {
      const token = this.#lexer.next();
      if (token.kind === 'punctuation' && token.value === '}') return values;
      if (token.kind !== 'string') throw this.#unexpected(token, 'a value or }');
      values.push(convert(option, token));
      const separator = this.#lexer.next();
      if (separator.kind === 'punctuation' && separator.value === '}') return values;
      if (separator.kind !== 'punctuation' || separator.value !== ',') throw this.#unexpected(separator, ', or }');
    }
  }

  // ---- sections

  #section(spec: SectionSpec, parent: Section, depth: number, place: Place): void {
    if (depth >= maxSectionDepth) throw configError(place, 'sections are nested too deeply');
    const title = spec.titled ? this.#title(spec) : '';
    const brace = this.#lexer.next();
    if (brace.kind !== 'punctuation' || brace.value !== '{') {
      throw configError(brace.place, `missing opening brace for section '${spec.kind}'`, {
        seen: describe(brace),
        expected: '{',
      });
    }
    const existing = parent.find(spec.kind, title);
    if (existing && spec.titled) {
      throw configError(place, `found duplicate title '${fromByteString(title)}'`, {
        expected: `one section ${spec.kind} of that name`,
      });
    }
    const section = existing ?? new Section(spec, title, place);
    this.body(section, depth + 1);
    if (!existing) parent.add(section);
    this.#host.sectionClosed?.(section, this.#root);
  }

  #title(spec: SectionSpec): ByteString {
    const token = this.#lexer.next();
    if (token.kind !== 'string') {
      throw configError(token.place, `missing title for section '${spec.kind}'`, {
        seen: describe(token),
        expected: `${spec.kind} NAME { … }`,
      });
    }
    if (/["\\]|\$\{/.test(token.value)) {
      throw configError(token.place, 'a title with a quote, a backslash or a variable in it can not be read back', {
        seen: fromByteString(token.value),
      });
    }
    return token.value;
  }

  // ---- calls

  #call(name: Token & { kind: 'string' }, section: Section): void {
    const args = this.#callArguments(name);
    const call: Call = { name: name.value, args, place: name.place };
    if (call.place.source.origin === 'archive') {
      throw configError(call.place, `a call of '${fromByteString(call.name)}'`, { expected: 'values only' });
    }
    if (name.value === 'include' && section.spec.includes) return this.#include(call);
    if (section.spec.calls === 'definition' && /^define(?:-eval)?!?$/.test(name.value)) return this.#define(call);
    if (section.spec.calls === undefined || section.spec.calls === 'definition') {
      this.#host.unknown(name.value, 'call', section, name.place);
      return;
    }
    section.calls.push(call);
  }

  #callArguments(name: Token & { kind: 'string' }): ByteString[] {
    const args: ByteString[] = [];
    const fail = (token: Token, expected: string): Error =>
      configError(token.place, `syntax error in call of function '${fromByteString(name.value)}'`, {
        seen: describe(token),
        expected,
      });
    for (;;) {
      const token = this.#lexer.next();
      if (token.kind === 'punctuation' && token.value === ')') return args; // also after a comma
      if (token.kind !== 'string') throw fail(token, 'an argument or )');
      args.push(token.value);
      const separator = this.#lexer.next();
      if (separator.kind === 'punctuation' && separator.value === ')') return args;
      if (separator.kind !== 'punctuation' || separator.value !== ',') throw fail(separator, ', or )');
    }
  }

  #include({ args, place }: Call): void {
    if (args.length !== 1) throw configError(place, "'include' requires 1 parameter", { expected: 'include(PATH)' });
    if (args[0] === '') {
      throw configError(place, 'cannot include the contents of an undefined variable', {
        fwup: 'Cannot include the contents of an undefined variable',
      });
    }
    this.#lexer.include(this.#host.include(args[0]!, place), place);
  }

  #define({ name, args, place }: Call): void {
    if (args.length !== 2) {
      throw configError(place, `'${name}' requires 2 parameters`, { expected: `${name}(NAME, VALUE)` });
    }
    const [variable, text] = args as [ByteString, ByteString];
    let value = text;
    if (name.startsWith('define-eval')) {
      const result = evaluateExpression(text);
      if (result === undefined) {
        throw configError(place, `error evaluating '${fromByteString(text)}'`, {
          expected: 'whole numbers with + - * / ^ ( ) and units like K, M, b',
        });
      }
      value = String(result);
    }
    if (name.endsWith('!')) this.#host.variables.set(variable, value);
    else this.#host.variables.setDefault(variable, value);
  }

  // ---- what the tables do not know

  #unknown(name: Token & { kind: 'string' }, next: Token, section: Section): void {
    const isOption = next.kind === 'punctuation' && (next.value === '=' || next.value === '+=');
    this.#host.unknown(name.value, isOption ? 'option' : 'section', section, name.place);
    if (isOption) {
      const value = this.#lexer.next();
      if (value.kind === 'punctuation' && value.value === '{') this.#skipBraces();
      else if (value.kind !== 'string') throw this.#unexpected(value, 'a value');
      return;
    }
    const brace = next.kind === 'string' ? this.#lexer.next() : next;
    if (brace.kind !== 'punctuation' || brace.value !== '{') throw this.#unexpected(brace, '=, { or (');
    this.#skipBraces();
  }

  #skipBraces(): void {
    for (let depth = 1; depth > 0;) {
      const token = this.#lexer.next();
      if (token.kind === 'end') throw configError(token.place, 'premature end of file', { expected: '}' });
      if (token.kind !== 'punctuation') continue;
      if (token.value === '{') depth++;
      if (token.value === '}') depth--;
    }
  }

  #string(expected: string): Token & { kind: 'string' } {
    const token = this.#lexer.next();
    if (token.kind === 'string') return token;
    throw this.#unexpected(token, expected);
  }

  #unexpected(token: Token, expected: string): Error {
    if (token.kind === 'end') return configError(token.place, 'premature end of file', { expected });
    const suggestion = token.kind === 'comment' ? { suggestion: 'move the comment to a line of its own' } : {};
    return configError(token.place, `unexpected ${describe(token)}`, { expected, ...suggestion });
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'string':
      return `'${fromByteString(token.value)}'`;
    case 'punctuation':
      return `'${token.value}'`;
    case 'comment':
      return 'a comment';
    case 'end':
      return 'the end of the file';
  }
}

function convert(option: OptionSpec, token: Token & { kind: 'string' }): ConfigValue {
  const { value, place } = token;
  switch (option.type) {
    case 'string':
    case 'string-list':
      return value;
    case 'integer':
    case 'integer-list': {
      const sign = /^[+-]/.exec(value)?.[0] ?? '';
      const number = Number(parseCInteger(value.slice(sign.length)) ?? Number.NaN);
      if (Number.isSafeInteger(number)) return sign === '-' ? -number : number;
      throw configError(place, `invalid integer value for option '${option.name}'`, {
        seen: fromByteString(value),
        expected: 'a whole number: decimal, 0x… or octal with a leading 0',
      });
    }
    case 'boolean':
      if (/^(?:true|on|yes)$/i.test(value)) return true;
      if (/^(?:false|off|no)$/i.test(value)) return false;
      throw configError(place, `invalid boolean value for option '${option.name}'`, {
        seen: fromByteString(value),
        expected: 'true, on, yes, false, off or no',
      });
  }
}
