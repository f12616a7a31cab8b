import { toByteString, type ByteString } from './source-text.ts';

/**
 * The variables of one parse: what the caller gave (the "environment" of fwup), then what `define` adds. fwup writes
 * into its process environment; here nothing outlives the parse.
 */
export class VariableSet {
  readonly #values = new Map<ByteString, ByteString>();

  constructor(initial: Readonly<Record<string, string | undefined>> = {}) {
    for (const [name, value] of Object.entries(initial)) {
      if (value !== undefined) this.#values.set(toByteString(name), toByteString(value));
    }
  }

  /** `define`: the first one wins, also over a later define of the same name. */
  setDefault(name: ByteString, value: ByteString): void {
    if (!this.#values.has(name)) this.#values.set(name, value);
  }

  /** `define!`: the last one wins. */
  set(name: ByteString, value: ByteString): void {
    this.#values.set(name, value);
  }

  /**
   * The value of what stands between `${` and `}`: NAME or NAME:-default. The default counts only for an unset name;
   * unset without default is empty. Not recursive.
   */
  substitute(inside: ByteString): ByteString {
    const split = inside.indexOf(':-');
    const name = split < 0 ? inside : inside.slice(0, split);
    return this.#values.get(name) ?? (split < 0 ? '' : inside.slice(split + 2));
  }
}
