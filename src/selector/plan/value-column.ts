import { textOfFact } from '../fact-text.ts';
import { CodeColumn } from './code-column.ts';

/**
 * The values of one path of the fleet's facts: each distinct value once, with a code, and the code for each device.
 * A pattern is tried on the distinct values; which devices it means follows from their codes. Texts (and what compares
 * as a text) are found by the text without case, as patterns see them; lists, and maps that are not split further, by
 * their JSON.
 */
export class ValueColumn {
  /** Codes by folded text; most texts have one code, but `true` and `"True"` have two. */
  readonly #byText = new Map<string, number | number[]>();
  readonly #byJson = new Map<string, number>();
  /** By code; there is no code 0. */
  readonly #values: unknown[] = [undefined];
  readonly #uses: number[] = [0];
  readonly #free: number[] = [];
  readonly #composites = new Set<number>();
  readonly codes = new CodeColumn();

  /** Devices that have the path. */
  get size(): number {
    return this.codes.size;
  }

  get distinct(): number {
    return this.#values.length - 1 - this.#free.length;
  }

  /** One more than the largest code, for tables by code. */
  get codeRoom(): number {
    return this.#values.length;
  }

  valueOf(code: number): unknown {
    return this.#values[code];
  }

  /** Devices with this value. */
  usesOf(code: number): number {
    return this.#uses[code] ?? 0;
  }

  /** Codes of the values that are no lists or maps and have this text, whatever its case. */
  codesOfText(folded: string): readonly number[] {
    const found = this.#byText.get(folded);
    return found === undefined ? [] : typeof found === 'number' ? [found] : found;
  }

  /** Codes of lists and unsplit maps. */
  get composites(): ReadonlySet<number> {
    return this.#composites;
  }

  set(device: number, value: unknown, room: number): void {
    const before = this.codes.get(device);
    if (before !== 0 && this.#values[before] === value) return;
    const code = this.#intern(value);
    this.#uses[code]! += 1;
    this.codes.set(device, code, room);
    if (before !== 0) this.#release(before);
  }

  delete(device: number, room: number): void {
    const before = this.codes.get(device);
    if (before === 0) return;
    this.codes.set(device, 0, room);
    this.#release(before);
  }

  #intern(value: unknown): number {
    if (typeof value === 'object' && value !== null) {
      const json = jsonOf(value);
      const known = json === undefined ? undefined : this.#byJson.get(json);
      if (known !== undefined) return known;
      const code = this.#take(value);
      this.#composites.add(code);
      if (json !== undefined) this.#byJson.set(json, code);
      return code;
    }
    const folded = fold(value);
    const found = this.#byText.get(folded);
    if (found === undefined) {
      const code = this.#take(value);
      this.#byText.set(folded, code);
      return code;
    }
    const codes = typeof found === 'number' ? [found] : found;
    for (const code of codes) if (this.#values[code] === value) return code;
    const code = this.#take(value);
    this.#byText.set(folded, [...codes, code]);
    return code;
  }

  #take(value: unknown): number {
    const code = this.#free.pop() ?? this.#values.length;
    this.#values[code] = value;
    this.#uses[code] = 0;
    return code;
  }

  #release(code: number): void {
    this.#uses[code]! -= 1;
    if (this.#uses[code] !== 0) return;
    const value = this.#values[code];
    if (this.#composites.delete(code)) {
      const json = jsonOf(value);
      if (json !== undefined) this.#byJson.delete(json);
    } else {
      const folded = fold(value);
      const rest = this.codesOfText(folded).filter((other) => other !== code);
      if (rest.length === 0) this.#byText.delete(folded);
      else this.#byText.set(folded, rest.length === 1 ? rest[0]! : rest);
    }
    this.#values[code] = undefined;
    this.#free.push(code);
  }
}

function fold(value: unknown): string {
  return textOfFact(value).toLowerCase();
}

/** Undefined for what is nested too deep to be printed: such a value has a code of its own. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
