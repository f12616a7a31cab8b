type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The same object without the members that are undefined: flags that were not given do not travel. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}
