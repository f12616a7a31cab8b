/** What a template's key means on a device: its id, a tag, or a grain by its name or the names on the way to it. */
export function factValue(
  key: string,
  {
    id,
    tags,
    grains,
  }: { id: string; tags: Readonly<Record<string, unknown>>; grains: Readonly<Record<string, unknown>> },
): unknown {
  if (key === 'id') return id;
  if (key.startsWith('tag:')) return own(tags, key.slice(4));
  const whole = own(grains, key);
  if (whole !== undefined) return whole;
  return key.split(/[.:]/).reduce<unknown>((at, name) => own(at, name), grains);
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
