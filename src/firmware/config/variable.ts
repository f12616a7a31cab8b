import { toByteString, type ByteString } from './source-text.ts';

/** Told of every definition; `kept`: the value that the variable has already, and keeps. */
export type DefineListener = (name: ByteString, value: ByteString, kept: ByteString | undefined) => void;

/**
 * The variables of one parse: what the caller gave (the "environment" of fwup), then what `define` adds. fwup writes
 * into its process environment; here nothing outlives the parse.
 */
export class VariableSet {
  readonly #values = new Map<ByteString, ByteString>();
  readonly #onDefine: DefineListener | undefined;

  constructor(initial: Readonly<Record<string, string | undefined>> = {}, onDefine?: DefineListener) {
    this.#onDefine = onDefine;
    for (const [name, value] of Object.entries(initial)) {
      if (value !== undefined) this.#values.set(toByteString(name), toByteString(value));
    }
  }

  /** `define`: the first one wins, also over a later define of the same name. */
  setDefault(name: ByteString, value: ByteString): void {
    const known = this.#values.get(name);
    this.#onDefine?.(name, value, known);
    if (known === undefined) this.#values.set(name, value);
  }

  /** `define!`: the last one wins. */
  set(name: ByteString, value: ByteString): void {
    this.#onDefine?.(name, value, undefined);
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
