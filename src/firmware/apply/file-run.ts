/**
 * A resource as its file: every piece of data with its place, holes in between left out. `map` holds alternating data
 * and hole lengths, data first.
 */
export async function* dataRuns(
  map: readonly number[],
  data: AsyncIterable<Buffer>,
): AsyncGenerator<{ offset: number; bytes: Buffer }, void> {
  const runs = [...map];
  let run = 0;
  let offset = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length;) {
      for (; run + 1 < runs.length && runs[run] === 0; run += 2) offset += runs[run + 1]!;
      const bytes = chunk.subarray(at, at + runs[run]!);
      yield { offset, bytes };
      runs[run]! -= bytes.length;
      offset += bytes.length;
      at += bytes.length;
    }
  }
}

/** Bytes of the hole that ends the file. */
export function endingHole(map: readonly number[]): number {
  return map.length % 2 === 0 ? (map.at(-1) ?? 0) : 0;
}
