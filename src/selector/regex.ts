import { RE2JS, RE2JSSyntaxException } from 're2js';

export type RegexPredicate = (text: string) => boolean;

/**
 * Compiles an operator's regex, anchored at the start as in Salt (`$` anchors the end). RE2: time is linear in the
 * text whatever the pattern, at the price of lookaround and backreferences, which it refuses; repeats are bounded.
 * @throws RegexSyntaxError with the engine's words
 */
export function compileRegex(source: string, options: { ignoreCase: boolean }): RegexPredicate {
  const flags = options.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0;
  try {
    // Alone first: `a)|(b` becomes valid only inside our own parentheses.
    RE2JS.compile(source, flags);
    const compiled = RE2JS.compile(`\\A(?:${source})`, flags);
    return (text) => compiled.test(text);
  } catch (cause) {
    if (cause instanceof RE2JSSyntaxException)
      throw new RegexSyntaxError(describe(cause), cause.input ?? '', { cause });
    throw cause;
  }
}

export class RegexSyntaxError extends Error {
  override name = 'RegexSyntaxError';
  /** The part of the source that is at fault, or empty. */
  readonly fragment: string;

  constructor(message: string, fragment: string, options?: ErrorOptions) {
    super(message, options);
    this.fragment = fragment;
  }
}

function describe(cause: RE2JSSyntaxException): string {
  const fragment = cause.input ?? '';
  if (/^\(\?<?[=!]/u.test(fragment)) return `lookaround ${fragment.slice(0, 4)} does not exist here`;
  return cause.message.replace(/^error parsing regexp: /u, '');
}
