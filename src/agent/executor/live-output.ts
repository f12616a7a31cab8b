import type { Clock } from '../../clock.ts';
import type { JobOutputEvent, OutputStream } from '../../protocol/event.ts';

export interface LiveOutputOption {
  clock: Clock;
  /** Puts it where it leaves from. Throws when there is no room: then it is left out. */
  tell(event: JobOutputEvent): void;
  /** Could it leave now? */
  linked(): boolean;
}

/** What is written within this time goes as one event. */
const tellEveryMs = 200;
const maxEventBytes = 32_768;
/** What waits for its turn, or for somebody to ask: the newest of it. */
const maxWaitingBytes = 65_536;
/** Of one job: who wants more wants a file. */
const maxToldBytes = 1_048_576;
const maxPieces = 256;
const longestCharacterBytes = 4;

interface Piece {
  stream: OutputStream;
  offset: number;
  bytes: Buffer;
}

/** A running action. */
interface Source {
  waiting: Piece[];
  waitingBytes: number;
  written: Record<OutputStream, number>;
  told: number;
  /** As much as may be told was told. */
  over: boolean;
  cancelTimer: (() => void) | undefined;
}

/**
 * What actions write, told while they run, of those jobs alone that somebody has asked for. It is a view: when more is
 * written than leaves, the oldest of it is left out, and the next offset says how much. The end of it comes with the
 * result, which has everything.
 */
export class LiveOutput {
  readonly #option: LiveOutputOption;
  readonly #wanted = new Set<string>();
  readonly #sources = new Map<string, Source>();

  constructor(option: LiveOutputOption) {
    this.#option = option;
  }

  /** Somebody wants to see what this job writes. */
  follow(jobId: string): void {
    this.#wanted.add(jobId);
    this.#arm(jobId);
  }

  /** Where the action of a job writes to, from now on. */
  open(jobId: string): (stream: OutputStream, chunk: Buffer) => void {
    const source: Source = {
      waiting: [],
      waitingBytes: 0,
      written: { stdout: 0, stderr: 0 },
      told: 0,
      over: false,
      cancelTimer: undefined,
    };
    this.#sources.set(jobId, source);
    return (stream, chunk) => {
      if (source.over) return;
      source.waiting.push({ stream, offset: source.written[stream], bytes: chunk });
      source.written[stream] += chunk.length;
      source.waitingBytes += chunk.length;
      leaveOutOldest(source);
      this.#arm(jobId);
    };
  }

  /** The action has ended: what is left comes with its result. */
  close(jobId: string): void {
    this.#sources.get(jobId)?.cancelTimer?.();
    this.#sources.delete(jobId);
    this.#wanted.delete(jobId);
  }

  stop(): void {
    for (const jobId of this.#sources.keys()) this.close(jobId);
  }

  #arm(jobId: string): void {
    const source = this.#sources.get(jobId);
    if (source === undefined || !this.#wanted.has(jobId)) return;
    if (source.waitingBytes === 0 || source.cancelTimer !== undefined) return;
    source.cancelTimer = this.#option.clock.schedule(tellEveryMs, () => {
      source.cancelTimer = undefined;
      if (this.#option.linked()) this.#tell(jobId, source);
      this.#arm(jobId);
    });
  }

  #tell(jobId: string, source: Source): void {
    const taken = take(source, Math.min(maxEventBytes, maxToldBytes - source.told));
    if (taken.length === 0) return;
    source.told += bytesOf(taken);
    source.over = source.told > maxToldBytes - longestCharacterBytes;
    if (source.over) Object.assign(source, { waiting: [], waitingBytes: 0 });
    const pieces = taken.map(({ bytes, ...piece }) => ({
      ...piece,
      bytes: bytes.length,
      text: bytes.toString('utf8'),
    }));
    try {
      this.#option.tell({ jobId, pieces, ...(source.over ? { last: true } : {}) });
    } catch {
      // No room in the log: a view is the first thing to do without, and the next offset says so.
    }
  }
}

function leaveOutOldest(source: Source): void {
  while (source.waitingBytes > maxWaitingBytes) {
    const over = source.waitingBytes - maxWaitingBytes;
    const [oldest] = source.waiting;
    if (oldest === undefined) return;
    if (oldest.bytes.length <= over) source.waiting.shift();
    else {
      source.waiting[0] = { ...oldest, offset: oldest.offset + over, bytes: oldest.bytes.subarray(over) };
    }
    source.waitingBytes -= Math.min(over, oldest.bytes.length);
  }
}

/** The oldest that waits, as few pieces as the order of the streams allows. What the last character lacks stays behind. */
function take(source: Source, maxBytes: number): Piece[] {
  const waiting = joined(source.waiting);
  const taken: Piece[] = [];
  let room = maxBytes;
  while (room > 0 && waiting.length > 0 && taken.length < maxPieces) {
    const [piece] = waiting as [Piece];
    const fits = piece.bytes.subarray(0, room);
    const isCut = waiting.length === 1 || fits.length < piece.bytes.length;
    const length = isCut ? wholeLength(fits) : fits.length;
    if (length === 0) break;
    taken.push({ ...piece, bytes: piece.bytes.subarray(0, length) });
    room -= length;
    if (length === piece.bytes.length) waiting.shift();
    else {
      waiting[0] = { ...piece, offset: piece.offset + length, bytes: piece.bytes.subarray(length) };
      break;
    }
  }
  source.waiting = waiting;
  source.waitingBytes = bytesOf(waiting);
  return taken;
}

function joined(pieces: readonly Piece[]): Piece[] {
  const runs: (Omit<Piece, 'bytes'> & { chunks: Buffer[] })[] = [];
  for (const { bytes, ...piece } of pieces) {
    const run = runs.at(-1);
    if (run?.stream === piece.stream) run.chunks.push(bytes);
    else runs.push({ ...piece, chunks: [bytes] });
  }
  return runs.map(({ chunks, ...run }) => ({ ...run, bytes: Buffer.concat(chunks) }));
}

function bytesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Without the beginning of a UTF-8 character at its end. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue; // the middle of one
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
