import type { ByteString, Place } from './source-text.ts';
import type { SectionSpec } from './schema.ts';

export type ConfigValue = ByteString | number | boolean | readonly ByteString[] | readonly number[];

/** A requirement or an action: `raw_write(2048)`. */
export interface Call {
  readonly name: ByteString;
  readonly args: readonly ByteString[];
  readonly place: Place;
}

/** A parsed section; the root is one too. */
export class Section {
  readonly spec: SectionSpec;
  readonly title: ByteString;
  readonly place: Place;
  readonly calls: Call[] = [];
  readonly #values = new Map<string, { value: ConfigValue; place: Place }>();
  readonly #sections = new Map<string, Section[]>();

  constructor(spec: SectionSpec, title: ByteString, place: Place) {
    this.spec = spec;
    this.title = title;
    this.place = place;
  }

  get kind(): string {
    return this.spec.kind;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Where an option was set, else where the section begins. */
  placeOf(name: string): Place {
    return this.#values.get(name)?.place ?? this.place;
  }

  set(name: string, value: ConfigValue, place: Place = this.place): void {
    this.#values.set(name, { value, place });
  }

  value(name: string): ConfigValue | undefined {
    return this.#values.get(name)?.value;
  }

  text(name: string): ByteString | undefined {
    const value = this.value(name) ?? this.#default(name);
    return typeof value === 'string' ? value : undefined;
  }

  integer(name: string): number | undefined {
    const value = this.value(name) ?? this.#default(name);
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean {
    return (this.value(name) ?? this.#default(name)) === true;
  }

  integers(name: string): readonly number[] {
    const value = this.value(name);
    return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : [];
  }

  add(section: Section): void {
    const siblings = this.#sections.get(section.kind);
    if (siblings) siblings.push(section);
    else this.#sections.set(section.kind, [section]);
  }

  /** Sections of one kind in source order. */
  all(kind: string): readonly Section[] {
    return this.#sections.get(kind) ?? [];
  }

  find(kind: string, title: ByteString = ''): Section | undefined {
    return this.all(kind).find((section) => section.title === title);
  }

  #default(name: string): ConfigValue | undefined {
    return this.spec.options.find((option) => option.name === name)?.default;
  }
}
