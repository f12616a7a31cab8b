import { textOfFact } from '../fact-text.ts';
import { AddressTable } from './address-table.ts';
import { CodeColumn } from './code-column.ts';

/**
 * The values of one path of the fleet's facts: each distinct value once, with a code, and the code for each device.
 * A pattern is tried on the distinct values; which devices it means follows from their codes.
 */
export class ValueColumn {
  /** Codes of texts, numbers and what else is no list or map. */
  readonly #byValue = new Map<unknown, number>();
  /** Codes of lists, and of maps that are not split further, by their JSON. */
  readonly #byJson = new Map<string, number>();
  /** By code; there is no code 0. */
  readonly #values: unknown[] = [undefined];
  readonly #uses: number[] = [0];
  readonly #free: number[] = [];
  readonly #composites = new Set<number>();
  /** Codes by text as patterns see it, without case. Made when a column with many values is first asked for one. */
  #byText: Map<string, number | number[]> | undefined;
  #addresses: AddressTable | undefined;
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

  /** The values as addresses. */
  get addresses(): AddressTable {
    this.#addresses ??= new AddressTable((code) => this.#values[code]);
    return this.#addresses;
  }

  /** Codes of lists and unsplit maps. */
  get composites(): ReadonlySet<number> {
    return this.#composites;
  }

  /** Codes of the values that are no lists or maps and have this text, whatever its case. */
  codesOfText(folded: string): readonly number[] {
    if (this.#byText === undefined && this.#byValue.size <= fewValues) {
      return [...this.#byValue].filter(([value]) => fold(value) === folded).map(([, code]) => code);
    }
    if (this.#byText === undefined) {
      this.#byText = new Map();
      for (const [value, code] of this.#byValue) this.#addText(value, code);
    }
    return codesIn(this.#byText, folded);
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
    if (isComposite(value)) {
      const json = jsonOf(value);
      const known = json === undefined ? undefined : this.#byJson.get(json);
      if (known !== undefined) return known;
      const code = this.#take(value);
      this.#composites.add(code);
      if (json !== undefined) this.#byJson.set(json, code);
      return code;
    }
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const code = this.#take(value);
    this.#byValue.set(value, code);
    this.#addText(value, code);
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
      const json = jsonOf(value as object);
      if (json !== undefined) this.#byJson.delete(json);
    } else {
      this.#byValue.delete(value);
      this.#deleteText(value, code);
    }
    this.#values[code] = undefined;
    this.#addresses?.forget(code);
    this.#free.push(code);
  }

  #addText(value: unknown, code: number): void {
    if (this.#byText === undefined) return;
    const folded = fold(value);
    const known = codesIn(this.#byText, folded);
    this.#byText.set(folded, known.length === 0 ? code : [...known, code]);
  }

  #deleteText(value: unknown, code: number): void {
    if (this.#byText === undefined) return;
    const folded = fold(value);
    const rest = codesIn(this.#byText, folded).filter((other) => other !== code);
    if (rest.length === 0) this.#byText.delete(folded);
    else this.#byText.set(folded, rest.length === 1 ? rest[0]! : rest);
  }
}

/** Sooner looked through than kept in a table. */
const fewValues = 64;

/** Most texts have one code, but `true`, `"True"` and `"true"` have three. */
function codesIn(table: ReadonlyMap<string, number | number[]>, folded: string): number[] {
  const found = table.get(folded);
  return found === undefined ? [] : typeof found === 'number' ? [found] : found;
}

function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function fold(value: unknown): string {
  return textOfFact(value).toLowerCase();
}

/** Undefined for what is nested too deep to be printed: such a value has a code of its own. */
function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
