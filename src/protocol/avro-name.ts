type Definition = Readonly<Record<string, unknown>>;

/** Full name and namespace of a definition, by Avro's rules. */
export function fullName(
  definition: Definition,
  around: string | undefined,
): { name: string; namespace: string | undefined } {
  const name = String(definition['name']);
  const dot = name.lastIndexOf('.');
  if (dot >= 0) return { name, namespace: name.slice(0, dot) };
  const namespace = typeof definition['namespace'] === 'string' ? definition['namespace'] : around;
  return { name: namespace ? `${namespace}.${name}` : name, namespace };
}

/** What a reference from within `namespace` means. */
export function referredName(name: string, namespace: string | undefined): string {
  return name.includes('.') || !namespace ? name : `${namespace}.${name}`;
}
