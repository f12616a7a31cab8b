/**
 * Arithmetic of define-eval: signed 64-bit, `+ - * /` truncating, `^` right-associative, parentheses, numbers in
 * C notation and stacked multipliers (`1K`, `2b`, `(3)M`). Overflow wraps, as in fwup.
 */
const maxDepth = 16;
const multiplier: Record<string, bigint> = {
  c: 1n, w: 2n, b: 512n, kB: 1000n, K: 1024n, MB: 1_000_000n, M: 1n << 20n, GB: 1_000_000_000n, G: 1n << 30n,
}; // prettier-ignore
const token = /\s*(?:(0[xX][0-9a-fA-F]+|[0-9]+)|(kB|MB|GB|[cwbKMG])|([-+*/^()]))/y;

/** The value, or undefined when the text is no expression (or divides by zero). */
export function evaluateExpression(text: string): bigint | undefined {
  const tokens = tokenize(text);
  if (!tokens) return undefined;
  const reader = new ExpressionReader(tokens);
  return reader.whole();
}

function tokenize(text: string): string[] | undefined {
  const found: string[] = [];
  const trimmed = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const match = token.exec(trimmed);
    if (!match) return undefined;
    found.push(match[0].trim());
  }
  return found;
}

/** C's strtoull/strtoll with base 0, digits only: decimal, 0x…, leading 0 for octal. */
export function parseCInteger(text: string): bigint | undefined {
  if (/^0[0-7]+$/.test(text)) return BigInt(`0o${text.slice(1)}`);
  if (/^(?:0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)$/.test(text)) return BigInt(text);
  return undefined;
}

class ExpressionReader {
  readonly #tokens: string[];
  #at = 0;
  #depth = 0;

  constructor(tokens: string[]) {
    this.#tokens = tokens;
  }

  whole(): bigint | undefined {
    const value = this.#sum();
    return this.#at === this.#tokens.length ? value : undefined;
  }

  #take(...wanted: string[]): string | undefined {
    const next = this.#tokens[this.#at];
    if (next === undefined || !wanted.includes(next)) return undefined;
    this.#at++;
    return next;
  }

  #sum(): bigint | undefined {
    let left = this.#product();
    for (let operator = this.#take('+', '-'); operator; operator = this.#take('+', '-')) {
      const right = this.#product();
      if (left === undefined || right === undefined) return undefined;
      left = BigInt.asIntN(64, operator === '+' ? left + right : left - right);
    }
    return left;
  }

  #product(): bigint | undefined {
    let left = this.#signed();
    for (let operator = this.#take('*', '/'); operator; operator = this.#take('*', '/')) {
      const right = this.#signed();
      if (left === undefined || right === undefined || (operator === '/' && right === 0n)) return undefined;
      left = BigInt.asIntN(64, operator === '*' ? left * right : left / right);
    }
    return left;
  }

  #signed(): bigint | undefined {
    if (++this.#depth > maxDepth) return undefined;
    const negative = this.#take('-') !== undefined;
    const value = negative ? this.#signed() : this.#power();
    this.#depth--;
    return negative && value !== undefined ? BigInt.asIntN(64, -value) : value;
  }

  #power(): bigint | undefined {
    const base = this.#primary();
    if (base === undefined || !this.#take('^')) return base;
    const exponent = this.#signed();
    if (exponent === undefined || exponent < 0n || exponent > 63n) return undefined;
    return BigInt.asIntN(64, base ** exponent);
  }

  #primary(): bigint | undefined {
    let value: bigint | undefined;
    if (this.#take('(')) {
      value = this.#sum();
      if (!this.#take(')')) return undefined;
    } else {
      value = parseCInteger(this.#tokens[this.#at++] ?? '');
    }
    for (let unit = this.#take(...Object.keys(multiplier)); unit; unit = this.#take(...Object.keys(multiplier))) {
      if (value === undefined) return undefined;
      value = BigInt.asIntN(64, value * multiplier[unit]!);
    }
    return value;
  }
}
