/**
 * The bytes of a whole file from its data runs: holes become zeros, as file systems and pipes need them. `map` holds
 * alternating data and hole lengths. `data` throws at its end if the resource is damaged.
 */
export async function* fillHoles(map: readonly number[], data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const runs = [...map];
  let run = 0;
  const holes = function* (): Generator<Buffer> {
    for (; run + 1 < runs.length && runs[run] === 0; run += 2) yield* zeros(runs[run + 1]!);
  };
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length;) {
      yield* holes();
      const count = Math.min(chunk.length - at, runs[run] ?? 0);
      if (count === 0) throw new RangeError('more data than the map has room for'); // `data` is checked before it comes
      yield chunk.subarray(at, at + count);
      runs[run]! -= count;
      at += count;
    }
  }
  yield* holes();
}

const zeroChunk = Buffer.alloc(64 * 1024);

function* zeros(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= zeroChunk.length)
    yield zeroChunk.subarray(0, Math.min(left, zeroChunk.length));
}
