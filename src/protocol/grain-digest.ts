import { createHash } from 'node:crypto';

/** JSON with sorted names, so that an order that changes is no change. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Names what has this canonical JSON: SHA-256, 64 hex digits. */
export function digestOfJson(canonical: string): string {
  return createHash('sha256').update(canonical).digest('hex');
}

export function grainDigest(grains: Record<string, unknown>): string {
  return digestOfJson(canonicalJson(grains));
}

/** As it travels: 64 bits, for sets of one device that nobody else has made. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 16);
}
