/**
 * Which earlier values a value is predicted from. The values of a column stand in one array with what is known from
 * before: cell 0 is the column's latest value of any stream (0 when there is none), cells 1 + 2s and 2 + 2s are the last
 * value and the one before of the batch's s-th stream, then come the values of the batch in row order.
 *
 * A value's first predecessor is the last value of its stream; of a stream without one it is the value before it in
 * the column, and cell 0 for the very first. The second predecessor is the one before that of the same stream; where
 * there is none it is the first predecessor again, so that a slope is 0.
 */
export class Chain {
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Cell of the latest value of each stream, and of the one before; -1 where there is none. */
  readonly last: Int32Array;
  readonly before: Int32Array;
  /** Cell of the first value of the batch. */
  readonly offset: number;
  readonly length: number;

  /**
   * @param owner of each value: its stream's number within the batch
   * @param known of each stream: whether a value is known from before
   */
  constructor(owner: Int32Array, length: number, streams: number, known: (stream: number) => boolean) {
    const offset = 1 + 2 * streams;
    const last = new Int32Array(streams).fill(-1);
    const before = new Int32Array(streams).fill(-1);
    for (let s = 0; s < streams; s += 1) {
      if (!known(s)) continue;
      last[s] = 1 + 2 * s;
      before[s] = 2 + 2 * s;
    }
    const first = new Int32Array(length);
    const second = new Int32Array(length);
    for (let i = 0; i < length; i += 1) {
      const s = owner[i]!;
      const cell = offset + i;
      if (last[s]! < 0) {
        first[i] = i > 0 ? cell - 1 : 0;
        second[i] = first[i]!;
        before[s] = cell;
      } else {
        first[i] = last[s]!;
        second[i] = before[s]!;
        before[s] = last[s]!;
      }
      last[s] = cell;
    }
    this.first = first;
    this.second = second;
    this.last = last;
    this.before = before;
    this.offset = offset;
    this.length = length;
  }
}
