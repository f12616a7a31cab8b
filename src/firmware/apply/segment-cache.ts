export const blockBytes = 512;
/** What fwup writes at a time, and what every image file's size is a multiple of. */
export const segmentBytes = 128 * 1024;
const blocksInSegment = segmentBytes / blockBytes;
const minSegments = 8;
/** Buffers kept for the next segments. */
const maxSpares = 24;
/** Full segments in a row that go out with one call. */
const maxRunSegments = 8;
/** Runs that are being written at once: libuv has four threads, of which inflating and reading take two. */
const maxUnderWay = 2;
const earlySyncBytes = 32 * 1024 * 1024;

const state = { unknown: 0, clean: 1, dirty: 2 } as const;

/** What lies behind the cache; `Disk` is one. Offsets and lengths in bytes; reads past the end give zeros. */
export interface Medium {
  read(offset: number, length: number): Promise<Buffer>;
  /** `parts` one behind the other. */
  write(offset: number, parts: readonly Buffer[]): Promise<void>;
  extendTo(length: number): Promise<void>;
  sync(): Promise<void>;
  /** Tells the medium that whole segments hold nothing worth keeping. */
  discard?(offset: number, length: number): Promise<void>;
}

interface Segment {
  readonly data: Buffer;
  readonly blocks: Uint8Array;
  dirtyBlocks: number;
  /** Inside a trimmed range and not on the disk since: it reads as zeros, and if written at all, is written whole. */
  trimmed: boolean;
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * A write-back cache between the actions and the disk. Segments that a stream has filled go out at once; the rest
 * waits. Ranges that decide what boots (partition tables, U-Boot environments) are *deferred*: they are written
 * last, one after the other with a sync in between, and only after all other data is on the medium.
 */
export class SegmentCache {
  readonly #disk: Medium;
  readonly #maxSegments: number;
  /** By segment number, least recently used first. */
  readonly #segments = new Map<number, Segment>();
  #deferred: Range[] = [];
  #trimmed: { first: number; last: number }[] = [];
  #touchedEnd = 0;
  readonly #spares: Buffer[] = [];
  /** Full segments in a row, the first one's number, that wait for the ones behind them. */
  #run: Buffer[] = [];
  #runStart = 0;
  /** Runs being written: never two that overlap. */
  readonly #underWay = new Set<Promise<void>>();
  #behindError: unknown;
  #sinceSync = 0;
  #isSyncing = false;
  #earlySync: Promise<void> = Promise.resolve();

  constructor(disk: Medium, cacheMebibytes: number) {
    this.#disk = disk;
    this.#maxSegments = Math.max(minSegments, Math.floor((cacheMebibytes * 1024 * 1024) / segmentBytes));
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const out = Buffer.alloc(length);
    for (const part of partsOf(offset, length)) {
      const segment = this.#touch(part.index);
      await this.#load(part.index, segment, part.from, part.to);
      segment.data.copy(out, part.at, part.from, part.to);
    }
    await this.#evict();
    return out;
  }

  /** Whole blocks at a block boundary. `streamed`: each block of a segment will be written once, in order. */
  async write(offset: number, bytes: Buffer, streamed = false): Promise<void> {
    for (const part of partsOf(offset, bytes.length)) {
      const segment = this.#touch(part.index);
      bytes.copy(segment.data, part.from, part.at, part.at + part.to - part.from);
      markDirty(segment, part.from / blockBytes, part.to / blockBytes);
      this.#touchedEnd = Math.max(this.#touchedEnd, (part.index + 1) * segmentBytes);
      const isFull = streamed && segment.dirtyBlocks === blocksInSegment && !this.#holdsDeferred(part.index);
      if (isFull) await this.#writeBehind(part.index, segment);
    }
    await this.#evict();
  }

  /** What is written here goes out last; ranges keep the order of their latest deferral. */
  defer(offset: number, length: number): void {
    this.#deferred = this.#deferred.filter((range) => range.offset !== offset || range.length !== length);
    this.#deferred.push({ offset, length });
  }

  /** Whole segments inside the range read as zeros from now on; what is not written stays on the disk. */
  trim(offset: number, length: number): void {
    const first = Math.ceil(offset / segmentBytes);
    const last = Math.floor((offset + length) / segmentBytes) - 1;
    if (last < first) return;
    this.#trimmed.push({ first, last });
    for (const index of this.#segments.keys()) {
      if (index >= first && index <= last) this.#segments.delete(index);
    }
  }

  /** Hands whole segments of the range back to the medium, where it takes that. */
  async discardOnMedium(offset: number, length: number): Promise<void> {
    const first = Math.ceil(offset / segmentBytes) * segmentBytes;
    const last = Math.floor((offset + length) / segmentBytes) * segmentBytes;
    if (last > first) await this.#disk.discard?.(first, last - first);
  }

  /** Writes everything: data first, synced, then the deferred ranges in order, each synced. */
  async flush(): Promise<void> {
    await this.#settle();
    for (const [index, segment] of this.#segments) await this.#writeDirty(index, segment, false);
    await this.#disk.extendTo(this.#touchedEnd);
    await this.#earlySync;
    await this.#settle(); // its error, too
    await this.#disk.sync();
    for (const range of this.#deferred) {
      let wrote = false;
      for (const part of partsOf(range.offset, range.length)) {
        const segment = this.#segments.get(part.index);
        if (segment)
          wrote = (await this.#writeRuns(part.index, segment, part.from / blockBytes, part.to / blockBytes)) || wrote;
      }
      if (wrote) await this.#disk.sync();
    }
    await this.discard();
  }

  /** Forgets what has not been written. */
  async discard(): Promise<void> {
    await this.#settle().catch(() => undefined); // full segments count as written
    await this.#earlySync;
    for (const { data } of this.#segments.values()) this.#spare(data);
    this.#segments.clear();
    this.#behindError = undefined;
    this.#deferred = [];
    this.#trimmed = [];
    this.#touchedEnd = 0;
  }

  #touch(index: number): Segment {
    let segment = this.#segments.get(index);
    if (segment) this.#segments.delete(index);
    else {
      const trimmed = this.#trimmed.some(({ first, last }) => index >= first && index <= last);
      const blocks = new Uint8Array(blocksInSegment).fill(trimmed ? state.clean : state.unknown);
      const data = this.#spares.pop() ?? Buffer.allocUnsafe(segmentBytes); // unknown blocks are never looked at
      segment = { data: trimmed ? data.fill(0) : data, blocks, dirtyBlocks: 0, trimmed };
    }
    this.#segments.set(index, segment);
    return segment;
  }

  /** Fills in the blocks of [from, to) that have not been seen yet. */
  async #load(index: number, segment: Segment, from: number, to: number): Promise<void> {
    const first = Math.floor(from / blockBytes);
    const last = Math.ceil(to / blockBytes);
    if (!segment.blocks.subarray(first, last).includes(state.unknown)) return;
    await this.#settle();
    const stored = await this.#disk.read(index * segmentBytes, segmentBytes);
    for (let block = 0; block < blocksInSegment; block++) {
      if (segment.blocks[block] !== state.unknown) continue;
      stored.copy(segment.data, block * blockBytes, block * blockBytes, (block + 1) * blockBytes);
      segment.blocks[block] = state.clean;
    }
  }

  async #evict(): Promise<void> {
    if (this.#segments.size <= this.#maxSegments) return;
    for (const [index, segment] of this.#segments) {
      if (this.#segments.size <= this.#maxSegments) return;
      if (!this.#holdsDeferred(index)) await this.#drop(index, segment);
    }
  }

  /** Takes a full segment, to be written while the next ones are filled. */
  async #writeBehind(index: number, segment: Segment): Promise<void> {
    if (index !== this.#runStart + this.#run.length) await this.#settle();
    else if (this.#run.length === maxRunSegments) await this.#sendRun();
    if (this.#run.length === 0) this.#runStart = index;
    this.#run.push(segment.data);
    this.#segments.delete(index);
    if (this.#trimmed.length > 0) this.#trimmed = this.#trimmed.flatMap((range) => without(range, index));
  }

  /** Now and then what is written so far is synced as well, so that the end has less to wait for. */
  async #sendRun(): Promise<void> {
    while (this.#underWay.size >= maxUnderWay) await Promise.race(this.#underWay);
    this.#checkBehind();
    const parts = this.#run;
    const start = this.#runStart;
    this.#runStart += parts.length;
    this.#run = [];
    const written = this.#disk
      .write(start * segmentBytes, parts)
      .then(
        () => parts.forEach((data) => this.#spare(data)),
        (error: unknown) => void (this.#behindError ??= error),
      )
      .finally(() => this.#underWay.delete(written));
    this.#underWay.add(written);
    this.#sinceSync += parts.length * segmentBytes;
    if (this.#sinceSync < earlySyncBytes || this.#isSyncing) return;
    this.#sinceSync = 0;
    this.#isSyncing = true;
    this.#earlySync = this.#disk
      .sync()
      .catch((error: unknown) => void (this.#behindError ??= error)) // the kernel tells an error once
      .finally(() => {
        this.#isSyncing = false;
      });
  }

  /** Everything else that touches the disk waits for what is written behind. */
  async #settle(): Promise<void> {
    if (this.#run.length > 0) await this.#sendRun();
    await Promise.all(this.#underWay);
    this.#checkBehind();
  }

  #checkBehind(): void {
    if (this.#behindError !== undefined) throw this.#behindError as Error;
  }

  #spare(data: Buffer): void {
    if (this.#spares.length < maxSpares) this.#spares.push(data);
  }

  async #drop(index: number, segment: Segment): Promise<void> {
    await this.#settle();
    await this.#writeDirty(index, segment, true);
    this.#segments.delete(index);
    // Once written, the disk is the truth for a trimmed segment too; one that was only read still is not on it.
    if (!segment.trimmed) this.#trimmed = this.#trimmed.flatMap((range) => without(range, index));
  }

  async #writeDirty(index: number, segment: Segment, isWhole: boolean): Promise<void> {
    if (segment.trimmed && segment.dirtyBlocks > 0) {
      markDirty(segment, 0, blocksInSegment);
      segment.trimmed = false;
    }
    if (isWhole || !this.#holdsDeferred(index)) {
      await this.#writeRuns(index, segment, 0, blocksInSegment);
      return;
    }
    for (let block = 0; block < blocksInSegment; block++) {
      if (!this.#isDeferred(index * segmentBytes + block * blockBytes))
        await this.#writeRuns(index, segment, block, block + 1);
    }
  }

  /** Writes each run of dirty blocks of [first, last) with one call. */
  async #writeRuns(index: number, segment: Segment, first: number, last: number): Promise<boolean> {
    let wrote = false;
    for (let block = first; block < last; block++) {
      if (segment.blocks[block] !== state.dirty) continue;
      const start = block;
      while (block < last && segment.blocks[block] === state.dirty) segment.blocks[block++] = state.clean;
      segment.dirtyBlocks -= block - start;
      const bytes = segment.data.subarray(start * blockBytes, block * blockBytes);
      await this.#disk.write(index * segmentBytes + start * blockBytes, [bytes]);
      wrote = true;
    }
    return wrote;
  }

  #isDeferred(offset: number): boolean {
    return this.#deferred.some((range) => offset >= range.offset && offset < range.offset + range.length);
  }

  #holdsDeferred(index: number): boolean {
    const start = index * segmentBytes;
    return this.#deferred.some((range) => range.offset < start + segmentBytes && range.offset + range.length > start);
  }
}

function markDirty(segment: Segment, first: number, last: number): void {
  for (let block = first; block < last; block++) {
    if (segment.blocks[block] !== state.dirty) segment.dirtyBlocks++;
    segment.blocks[block] = state.dirty;
  }
}

function without(range: { first: number; last: number }, index: number): { first: number; last: number }[] {
  if (index < range.first || index > range.last) return [range];
  const parts = [
    { first: range.first, last: index - 1 },
    { first: index + 1, last: range.last },
  ];
  return parts.filter(({ first, last }) => last >= first);
}

/** The pieces of a byte range, segment by segment: `at` in the caller's buffer, `from`..`to` in the segment. */
function* partsOf(offset: number, length: number): Generator<{ index: number; at: number; from: number; to: number }> {
  for (let at = 0; at < length;) {
    const index = Math.floor((offset + at) / segmentBytes);
    const from = (offset + at) % segmentBytes;
    const to = Math.min(segmentBytes, from + length - at);
    yield { index, at, from, to };
    at += to - from;
  }
}
